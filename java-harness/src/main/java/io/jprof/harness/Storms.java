package io.jprof.harness;

/**
 * Everything at once that takes code and classes away from under a profiler: class loaders that come and go, deoptimisation,
 * threads that live for a moment, {@link Mix} and, where the JVM has the agent that {@link Redefinitions} needs, redefinition.
 *
 * <p>{@code Storms [SECONDS=5]}; prints {@code loaders}, {@code storms}, {@code threads}, {@code rounds} and
 * {@code redefinitions}.
 */
public final class Storms {
    private static final int THREADS_AT_ONCE = 4;
    private static final long THREAD_NANOS = 200_000;

    private Storms() {}

    public static void main(String[] args) throws Exception {
        Run.begin(args, 5);
        int[] counts = new int[4];
        boolean redefines = Redefinitions.arePossible();
        Mix.Worker mix = new Mix.Worker(0);
        Thread[] threads = {
            mix,
            new Thread(() -> counts[0] = LoaderChurn.churn(), "loaders"),
            new Thread(() -> counts[1] = DeoptStorm.storm(), "deopts"),
            new Thread(() -> counts[2] = ThreadChurn.churn(THREADS_AT_ONCE, THREAD_NANOS), "churner"),
            new Thread(Redefinitions::work, "redefined"),
            new Thread(() -> counts[3] = redefines ? Redefinitions.redefine() : 0, "redefiner"),
        };
        for (Thread thread : threads) {
            thread.start();
        }
        Run.join(threads);
        if (mix.failure != null) {
            throw mix.failure;
        }
        Truth.print("loaders", counts[0]);
        Truth.print("storms", counts[1]);
        Truth.print("threads", counts[2]);
        Truth.print("rounds", mix.rounds);
        Truth.print("redefinitions", counts[3]);
        Run.end();
    }
}
