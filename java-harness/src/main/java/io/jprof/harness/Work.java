package io.jprof.harness;

/** CPU work that no compiler removes and that calls nothing. */
final class Work {
    /** Results end here, so that the work counts as used. */
    static volatile long sink;

    private Work() {}

    /** One piece of work, some 10 µs once compiled. */
    static void piece() {
        long x = sink + 1;
        for (int i = 0; i < 8_000; i++) {
            x = x * 6364136223846793005L + 1442695040888963407L;
        }
        sink = x;
    }

    /** Works for a span of wall time: on a machine with a free core, of CPU time too. */
    static void forNanos(long nanos) {
        long end = System.nanoTime() + nanos;
        do {
            piece();
        } while (System.nanoTime() - end < 0);
    }
}
