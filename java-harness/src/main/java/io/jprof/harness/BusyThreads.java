package io.jprof.harness;

/**
 * Many threads that all want a core: {@code BusyThreads [SECONDS=5] [THREADS=64]}.
 *
 * <p>The threads are {@code busy-0}, {@code busy-1} and so on; each prints {@code thread.NAME.cpu_nanos}.
 */
public final class BusyThreads {
    private BusyThreads() {}

    public static void main(String[] args) {
        Run.begin(args, 5);
        Thread[] threads = new Thread[Run.intArgument(args, 1, 64)];
        for (int i = 0; i < threads.length; i++) {
            threads[i] = new Thread(BusyThreads::work, "busy-" + i);
            threads[i].start();
        }
        Run.join(threads);
        Run.end();
    }

    private static void work() {
        while (Run.goesOn()) {
            Work.piece();
        }
        ThreadClock.print();
    }
}
