package io.jprof.harness;

import java.util.ArrayList;
import java.util.List;

/**
 * A method that keeps all it allocates, so many bytes a second, beside one that allocates ten times as much and keeps none.
 *
 * <p>{@code Leak [SECONDS=5] [MIB_PER_SECOND=16]}; prints {@code leak.bytes} at the end.
 */
public final class Leak {
    private static final int BYTES = 1016;
    private static final int NOISE_OBJECTS = 10;
    private static final long PAUSE_MILLIS = 5;

    private static final List<Object> LEAKED = new ArrayList<>();
    /** What was allocated stays reachable for a moment, so that no compiler leaves it out. */
    private static final Object[] NOISE = new Object[64];

    private Leak() {}

    public static void main(String[] args) {
        Run.begin(args, 5);
        double objectsPerNano = Run.intArgument(args, 1, 16) * (double) (1 << 20) / BYTES / 1e9;
        long began = System.nanoTime();
        while (Run.goesOn()) {
            long due = (long) ((System.nanoTime() - began) * objectsPerNano);
            while (LEAKED.size() < due) {
                LEAKED.add(leak());
                for (int i = 0; i < NOISE_OBJECTS; i++) {
                    NOISE[(LEAKED.size() + i) & 63] = noise();
                }
            }
            Run.sleepMillis(PAUSE_MILLIS);
        }
        Truth.print("leak.bytes", (long) LEAKED.size() * BYTES);
        Run.end();
    }

    private static Object leak() {
        return new byte[1000];
    }

    private static Object noise() {
        return new char[500];
    }
}
