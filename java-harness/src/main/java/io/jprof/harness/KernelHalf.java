package io.jprof.harness;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Paths;

/**
 * Half of the CPU time in the kernel, in {@code readZeros}; the other half in {@code spin}.
 *
 * <p>{@code KernelHalf [SECONDS=10]}; prints {@code method.readZeros.cpu_nanos}, {@code method.spin.cpu_nanos}, and the
 * thread's user and system time to a tick as {@code thread.main.user_nanos} and {@code thread.main.system_nanos}.
 */
public final class KernelHalf {
    private static final long SLICE_NANOS = 20_000_000L;

    private KernelHalf() {}

    public static void main(String[] args) throws IOException {
        Run.begin(args, 10);
        Truth.CpuTime before = Truth.threadCpu();
        long reading = 0;
        long spinning = 0;
        // A direct buffer: the kernel fills it, and nothing copies it afterwards.
        ByteBuffer buffer = ByteBuffer.allocateDirect(1 << 20);
        try (FileChannel zeros = FileChannel.open(Paths.get("/dev/zero"))) {
            while (Run.goesOn()) {
                long start = ThreadClock.nanos();
                readZeros(zeros, buffer, start + SLICE_NANOS);
                long middle = ThreadClock.nanos();
                // As long as the reading took, so that the halves stay halves.
                spin(middle + (middle - start));
                reading += middle - start;
                spinning += ThreadClock.nanos() - middle;
            }
        }
        Truth.print("method.readZeros.cpu_nanos", reading);
        Truth.print("method.spin.cpu_nanos", spinning);
        Truth.printCpu("thread.main", Truth.threadCpu().minus(before));
        Run.end();
    }

    private static void readZeros(FileChannel zeros, ByteBuffer buffer, long until) throws IOException {
        while (ThreadClock.nanos() < until) {
            for (int i = 0; i < 16; i++) {
                buffer.clear();
                zeros.read(buffer);
            }
        }
    }

    private static void spin(long until) {
        while (ThreadClock.nanos() < until) {
            for (int i = 0; i < 100; i++) {
                Work.piece();
            }
        }
    }
}
