package io.jprof.harness;

import java.util.ArrayList;
import java.util.List;

/**
 * A method that keeps all it allocates, so many bytes a second at the most, beside one that allocates ten times as much
 * and keeps none.
 *
 * <p>{@code Leak [SECONDS=5] [MIB_PER_SECOND=16]}; prints {@code leaked=N} with each MiB, and {@code leak.bytes} at the end.
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
        long objectsAtOnce = Run.intArgument(args, 1, 16) * (PAUSE_MILLIS << 20) / BYTES / 1_000;
        long printed = 0;
        while (Run.goesOn()) {
            for (long i = 0; i < objectsAtOnce; i++) {
                LEAKED.add(leak());
                for (int j = 0; j < NOISE_OBJECTS; j++) {
                    NOISE[(int) (i + j) & 63] = noise();
                }
            }
            long mib = (long) LEAKED.size() * BYTES >> 20;
            if (mib > printed) {
                printed = mib;
                Truth.print("leaked", mib);
            }
            // No more than that at once, however long the pause was.
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
