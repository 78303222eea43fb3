package io.jprof.harness;

import java.lang.reflect.Method;

/**
 * Virtual threads that work, at the top and at the bottom of a recursion, and sleep, so that they are often mounted anew.
 *
 * <p>{@code VirtualThreads [SECONDS=5] [THREADS=16]}; prints {@code virtual_threads}, which is 0 on a Java without them,
 * and {@code mounts}, how often one of them came back from sleep. All work is in {@code work}.
 */
public final class VirtualThreads {
    /** Frames of {@code descend} between the two places of work. */
    private static final int DEPTH = 40;

    private static final int PIECES = 50;

    private VirtualThreads() {}

    public static void main(String[] args) throws ReflectiveOperationException {
        Run.begin(args, 5);
        Method start;
        try {
            start = Thread.class.getMethod("startVirtualThread", Runnable.class);
        } catch (NoSuchMethodException e) {
            Truth.print("virtual_threads", 0);
            return;
        }
        Thread[] threads = new Thread[Run.intArgument(args, 1, 16)];
        long[] mounts = new long[threads.length];
        for (int i = 0; i < threads.length; i++) {
            int index = i;
            Runnable body = () -> mounts[index] = workAndSleep();
            threads[i] = (Thread) start.invoke(null, body);
        }
        Run.join(threads);
        long total = 0;
        for (long count : mounts) {
            total += count;
        }
        Truth.print("virtual_threads", threads.length);
        Truth.print("mounts", total);
        Run.end();
    }

    private static long workAndSleep() {
        long mounts = 0;
        while (Run.goesOn()) {
            work();
            descend(DEPTH);
            mounts++;
        }
        return mounts;
    }

    private static void descend(int left) {
        if (left > 0) {
            descend(left - 1);
        } else {
            // Work at the depth where it has slept: some of the frames above it may not have come back from the heap.
            work();
            Run.sleepMillis(1);
            work();
        }
    }

    private static void work() {
        for (int i = 0; i < PIECES; i++) {
            Work.piece();
        }
    }
}
