package io.jprof.harness;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.zip.CRC32;

/**
 * Work that the JVM does in stubs of its own, not in compiled methods: SHA-256, CRC32 and arraycopy, a third each.
 *
 * <p>{@code Intrinsics [SECONDS=5]}; all of it in the thread {@code intrinsics}, in {@code sha}, {@code crc} and {@code
 * copy}. Prints {@code method.NAME.cpu_nanos} (calls included) and {@code thread.intrinsics.cpu_nanos}.
 */
public final class Intrinsics {
    /** CPU time of one call of each method: long beside what a look at the clock takes. */
    private static final long CALL_NANOS = 20_000_000L;

    private static final int BYTES = 256 * 1024;

    private final byte[] data = new byte[BYTES];
    private final byte[] copy = new byte[BYTES];
    private final MessageDigest digest;
    private final CRC32 crc = new CRC32();

    private Intrinsics() {
        try {
            digest = MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
        for (int i = 0; i < BYTES; i++) {
            data[i] = (byte) (i * 31);
        }
    }

    public static void main(String[] args) {
        Run.begin(args, 5);
        Thread thread = new Thread(() -> new Intrinsics().run(), "intrinsics");
        thread.start();
        Run.join(thread);
        Run.end();
    }

    private void run() {
        long[] cpuNanos = new long[3];
        while (Run.goesOn()) {
            for (int method = 0; method < cpuNanos.length; method++) {
                cpuNanos[method] += call(method);
            }
        }
        Truth.print("method.sha.cpu_nanos", cpuNanos[0]);
        Truth.print("method.crc.cpu_nanos", cpuNanos[1]);
        Truth.print("method.copy.cpu_nanos", cpuNanos[2]);
        ThreadClock.print();
    }

    private long call(int method) {
        long began = ThreadClock.nanos();
        long nanos;
        do {
            if (method == 0) {
                sha();
            } else if (method == 1) {
                crc();
            } else {
                copy();
            }
            nanos = ThreadClock.nanos() - began;
        } while (nanos < CALL_NANOS);
        return nanos;
    }

    private void sha() {
        for (int i = 0; i < 4; i++) {
            digest.update(data);
        }
        Work.sink += digest.digest()[0];
    }

    private void crc() {
        for (int i = 0; i < 40; i++) {
            crc.update(data, 0, BYTES);
        }
        Work.sink += crc.getValue();
    }

    private void copy() {
        for (int i = 0; i < 100; i++) {
            System.arraycopy(data, 0, copy, i, BYTES - i);
        }
        Work.sink += copy[100];
    }
}
