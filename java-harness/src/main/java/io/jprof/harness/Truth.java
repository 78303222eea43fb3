package io.jprof.harness;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;

/**
 * What a program knows about itself, printed as {@code truth key=value} lines for tests to read.
 *
 * <p>Asks only {@code java.base} and /proc, so that it serves on the smallest run time.
 */
final class Truth {
    /** The kernel gives times in /proc in ticks of 10 ms (USER_HZ is 100 on every Linux ABI that a JVM has). */
    private static final long NANOS_PER_TICK = 10_000_000L;

    private Truth() {}

    static void print(String key, Object value) {
        // One write per line: lines of several threads do not mix.
        System.out.print("truth " + key + "=" + value + "\n");
        System.out.flush();
    }

    /** The process's id as its own PID namespace counts. */
    static String pid() {
        try {
            return new File("/proc/self").getCanonicalFile().getName();
        } catch (IOException e) {
            throw new IllegalStateException("/proc/self cannot be read", e);
        }
    }

    /** CPU time of the whole process, threads that ended included. */
    static CpuTime processCpu() {
        return cpuTime("/proc/self/stat");
    }

    /** CPU time of the calling thread. */
    static CpuTime threadCpu() {
        return cpuTime("/proc/thread-self/stat");
    }

    private static CpuTime cpuTime(String path) {
        String stat;
        try {
            stat = new String(Files.readAllBytes(Paths.get(path)), StandardCharsets.ISO_8859_1);
        } catch (IOException e) {
            throw new IllegalStateException(path + " cannot be read", e);
        }
        // The second field is the name in parentheses and may hold blanks; utime and stime are fields 14 and 15.
        String[] afterName = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
        return new CpuTime(
                Long.parseLong(afterName[11]) * NANOS_PER_TICK,
                Long.parseLong(afterName[12]) * NANOS_PER_TICK);
    }

    /** Prints {@code PREFIX.user_nanos}, {@code PREFIX.system_nanos} and their sum {@code PREFIX.cpu_nanos}. */
    static void printCpu(String prefix, CpuTime cpu) {
        print(prefix + ".user_nanos", cpu.userNanos);
        print(prefix + ".system_nanos", cpu.systemNanos);
        print(prefix + ".cpu_nanos", cpu.userNanos + cpu.systemNanos);
    }

    /** User and system time, to a tick. */
    static final class CpuTime {
        final long userNanos;
        final long systemNanos;

        CpuTime(long userNanos, long systemNanos) {
            this.userNanos = userNanos;
            this.systemNanos = systemNanos;
        }

        CpuTime minus(CpuTime earlier) {
            return new CpuTime(userNanos - earlier.userNanos, systemNanos - earlier.systemNanos);
        }
    }
}
