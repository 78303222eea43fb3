package io.jprof.harness;

/**
 * Threads that live for a fraction of a millisecond, started and joined without a pause.
 *
 * <p>{@code ThreadChurn [SECONDS=5] [AT_ONCE=4] [WORK_MICROS=200]}; prints {@code threads}. Their names are
 * {@code churn-0}, {@code churn-1} and so on.
 */
public final class ThreadChurn {
    private ThreadChurn() {}

    public static void main(String[] args) {
        Run.begin(args, 5);
        int started = churn(Run.intArgument(args, 1, 4), Run.intArgument(args, 2, 200) * 1_000L);
        Truth.print("threads", started);
        Run.end();
    }

    /** Starts and joins until the run ends; how many threads there were. */
    static int churn(int atOnce, long workNanos) {
        Thread[] batch = new Thread[atOnce];
        int started = 0;
        while (Run.goesOn()) {
            for (int i = 0; i < batch.length; i++) {
                batch[i] = new Thread(() -> Work.forNanos(workNanos), "churn-" + started++);
                batch[i].start();
            }
            Run.join(batch);
        }
        return started;
    }
}
