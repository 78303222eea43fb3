package io.jprof.harness;

/**
 * A thread that changes its name: works as {@code before} for half of the time, then as {@code after}.
 *
 * <p>{@code Renamer [SECONDS=4]}; prints {@code thread.before.cpu_nanos} and {@code thread.after.cpu_nanos}.
 */
public final class Renamer {
    private Renamer() {}

    public static void main(String[] args) {
        Run.begin(args, 4);
        long halfNanos = (long) (Double.parseDouble(args.length > 0 ? args[0] : "4") * 1e9 / 2);
        Thread thread = new Thread(() -> workUnderTwoNames(halfNanos), "before");
        thread.start();
        Run.join(thread);
        Run.end();
    }

    private static void workUnderTwoNames(long halfNanos) {
        Work.forNanos(halfNanos);
        long before = ThreadClock.nanos();
        Truth.print("thread.before.cpu_nanos", before);
        Thread.currentThread().setName("after");
        while (Run.goesOn()) {
            Work.piece();
        }
        Truth.print("thread.after.cpu_nanos", ThreadClock.nanos() - before);
    }
}
