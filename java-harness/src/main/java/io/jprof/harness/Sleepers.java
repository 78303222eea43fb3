package io.jprof.harness;

/**
 * Threads that work for 2, 10, 25 and 50 percent of the time and sleep for the rest.
 *
 * <p>{@code Sleepers [SECONDS=10]}; the threads are {@code sleeper-2}, {@code sleeper-10} and so on, each prints
 * {@code thread.NAME.cpu_nanos}.
 */
public final class Sleepers {
    private static final int[] PERCENTS = {2, 10, 25, 50};
    private static final int CYCLE_MILLIS = 20;

    private Sleepers() {}

    public static void main(String[] args) {
        Run.begin(args, 10);
        Thread[] threads = new Thread[PERCENTS.length];
        for (int i = 0; i < threads.length; i++) {
            int percent = PERCENTS[i];
            threads[i] = new Thread(() -> workAndSleep(percent), "sleeper-" + percent);
            threads[i].start();
        }
        Run.join(threads);
        Run.end();
    }

    private static void workAndSleep(int percent) {
        long workNanos = CYCLE_MILLIS * 1_000_000L * percent / 100;
        while (Run.goesOn()) {
            Work.forNanos(workNanos);
            Run.sleepMillis(CYCLE_MILLIS * (100 - percent) / 100);
        }
        ThreadClock.print();
    }
}
