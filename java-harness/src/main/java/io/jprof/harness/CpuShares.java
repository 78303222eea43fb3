package io.jprof.harness;

/**
 * Methods with known shares of the CPU time: about 40, 30, 20 and 10 percent, exactly as printed.
 *
 * <p>{@code CpuShares [SECONDS=10]}; prints {@code method.NAME.cpu_nanos} for each method (calls included) and
 * {@code thread.main.cpu_nanos}.
 */
public final class CpuShares {
    /** CPU time of one call of the method with the largest share: long beside what a look at the clock takes. */
    private static final long ROUND_NANOS = 100_000_000L;

    private static final int[] TABLE = new int[4096];

    private CpuShares() {}

    public static void main(String[] args) {
        Run.begin(args, 10);
        for (int i = 0; i < TABLE.length; i++) {
            TABLE[i] = i * 31 + 7;
        }
        Method[] methods = {
            new Method("fortyPercent", 40),
            new Method("thirtyPercent", 30),
            new Method("twentyPercent", 20),
            new Method("tenPercent", 10),
        };
        while (Run.goesOn()) {
            for (Method method : methods) {
                long before = ThreadClock.nanos();
                call(method);
                method.account(ThreadClock.nanos() - before);
            }
        }
        for (Method method : methods) {
            Truth.print("method." + method.name + ".cpu_nanos", method.cpuNanos);
        }
        ThreadClock.print();
        Run.end();
    }

    private static void call(Method method) {
        switch (method.percent) {
            case 40:
                fortyPercent(method.steps);
                break;
            case 30:
                thirtyPercent(method.steps);
                break;
            case 20:
                twentyPercent(method.steps);
                break;
            default:
                tenPercent(method.steps);
        }
    }

    static void fortyPercent(int steps) {
        long x = Work.sink;
        for (int i = 0; i < steps; i++) {
            x = x * 6364136223846793005L + 1442695040888963407L;
        }
        Work.sink = x;
    }

    static void thirtyPercent(int steps) {
        double x = Work.sink & 0xff;
        for (int i = 0; i < steps; i++) {
            x = (x + 3.7) / 1.0000001;
        }
        Work.sink = (long) x;
    }

    static void twentyPercent(int steps) {
        int at = (int) Work.sink & 4095;
        for (int i = 0; i < steps; i++) {
            at = (TABLE[at] + i) & 4095;
        }
        Work.sink = at;
    }

    static void tenPercent(int steps) {
        long x = Work.sink | 1;
        for (int i = 0; i < steps; i++) {
            x ^= x << 13;
            x ^= x >>> 7;
            x ^= x << 17;
        }
        Work.sink = x;
    }

    /** A method's share, how many steps make it, and what it has taken. */
    private static final class Method {
        final String name;
        final int percent;
        int steps = 100_000;
        long cpuNanos;

        Method(String name, int percent) {
            this.name = name;
            this.percent = percent;
        }

        /** Adds what a call took, and steers the next call towards the share. */
        void account(long nanos) {
            cpuNanos += nanos;
            double wanted = ROUND_NANOS * percent / 100.0;
            double factor = Math.min(4.0, Math.max(0.25, wanted / Math.max(1, nanos)));
            steps = (int) Math.min(1 << 30, Math.max(1_000, steps * factor));
        }
    }
}
