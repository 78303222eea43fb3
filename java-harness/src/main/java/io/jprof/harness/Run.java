package io.jprof.harness;

/** The frame of each program: its length, and the truths that all of them print. */
final class Run {
    private static long endNanos;
    private static Truth.CpuTime cpuAtBegin;

    private Run() {}

    /**
     * Begins a run of {@code args[0]} seconds (a decimal) and prints {@code pid} and {@code begin.cpu_nanos}: from the
     * latter line on, a test may attach, signal or measure.
     */
    static void begin(String[] args, double defaultSeconds) {
        double seconds = args.length > 0 ? Double.parseDouble(args[0]) : defaultSeconds;
        cpuAtBegin = Truth.processCpu();
        endNanos = System.nanoTime() + (long) (seconds * 1e9);
        Truth.print("pid", Truth.pid());
        Truth.printCpu("begin", cpuAtBegin);
    }

    static boolean goesOn() {
        return System.nanoTime() - endNanos < 0;
    }

    /** Prints the process's CPU time: {@code end.*} since the process began, {@code run.*} since {@link #begin}. */
    static void end() {
        Truth.CpuTime cpu = Truth.processCpu();
        Truth.printCpu("end", cpu);
        Truth.printCpu("run", cpu.minus(cpuAtBegin));
    }

    /** The argument at {@code index}, or its default. */
    static int intArgument(String[] args, int index, int otherwise) {
        return args.length > index ? Integer.parseInt(args[index]) : otherwise;
    }

    static void sleepMillis(long millis) {
        try {
            Thread.sleep(millis);
        } catch (InterruptedException e) {
            throw new IllegalStateException("nobody interrupts a harness program", e);
        }
    }

    static void join(Thread... threads) {
        for (Thread thread : threads) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                throw new IllegalStateException("nobody interrupts a harness program", e);
            }
        }
    }
}
