package io.jprof.harness;

import java.lang.reflect.Method;

/**
 * Virtual threads that work when they begin, and at the bottom of a recursion before, between and after times of sleep.
 *
 * <p>{@code VirtualThreads [SECONDS=5] [THREADS=16]}; that many at a time. Prints {@code virtual_threads}, how many there
 * were, which is 0 on a Java without them. All work is in {@code work}.
 */
public final class VirtualThreads {
    /** Frames of {@code descend} between the places of work. */
    private static final int DEPTH = 40;

    private static final int SLEEPS = 4;

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
        Runnable body = VirtualThreads::workAndSleep;
        int total = 0;
        while (Run.goesOn()) {
            for (int i = 0; i < threads.length; i++) {
                threads[i] = (Thread) start.invoke(null, body);
            }
            Run.join(threads);
            total += threads.length;
        }
        Truth.print("virtual_threads", total);
        Run.end();
    }

    private static void workAndSleep() {
        work();
        descend(DEPTH);
    }

    private static void descend(int left) {
        if (left > 0) {
            descend(left - 1);
        } else {
            for (int i = 0; i < SLEEPS; i++) {
                work();
                Run.sleepMillis(1);
            }
            // Frames above this one may still be in the heap.
            work();
        }
    }

    private static void work() {
        for (int i = 0; i < PIECES; i++) {
            Work.piece();
        }
    }
}
