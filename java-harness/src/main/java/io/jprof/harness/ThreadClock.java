package io.jprof.harness;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;

/** The calling thread's CPU clock, to the nanosecond. Needs the module java.management. */
final class ThreadClock {
    private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

    private ThreadClock() {}

    /** CPU time of the calling thread since it began, in nanoseconds. */
    static long nanos() {
        return THREADS.getCurrentThreadCpuTime();
    }

    /** To be called last in a thread: prints {@code thread.NAME.cpu_nanos}. */
    static void print() {
        Truth.print("thread." + Thread.currentThread().getName() + ".cpu_nanos", nanos());
    }
}
