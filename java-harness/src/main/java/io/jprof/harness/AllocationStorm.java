package io.jprof.harness;

import java.util.ArrayDeque;

/**
 * Small objects as fast as threads can allocate them, some of which outlive collections, beside class loaders that come and go
 * and whose classes have many instances.
 *
 * <p>{@code AllocationStorm [SECONDS=5] [THREADS=2]}; prints {@code objects}, {@code loaders} and {@code freight.live_bytes},
 * what the last loaders' objects take, which alone are kept. At the end all is collected.
 */
public final class AllocationStorm {
    private static final int KEPT_LOADERS = 16;
    private static final int FREIGHT_OBJECTS = 8_000;
    private static final int FREIGHT_BYTES = 64;
    /** A collection after so many loaders: each unloads what the last ones defined. */
    private static final int LOADERS_PER_COLLECTION = 50;
    private static final long PAUSE_MILLIS = 5;

    /** Loaders of which instances are kept. */
    private static final ArrayDeque<Runnable> KEPT = new ArrayDeque<>();

    private AllocationStorm() {}

    public static void main(String[] args) {
        Run.begin(args, 5);
        Thread[] threads = new Thread[Run.intArgument(args, 1, 2) + 1];
        long[] objects = new long[threads.length];
        int[] loaders = new int[1];
        threads[0] = new Thread(() -> loaders[0] = churn(), "loaders");
        for (int i = 1; i < threads.length; i++) {
            int index = i;
            threads[i] = new Thread(() -> objects[index] = storm(), "storm-" + i);
        }
        for (Thread thread : threads) {
            thread.start();
        }
        Run.join(threads);
        long total = 0;
        for (long count : objects) {
            total += count;
        }
        System.gc();
        Truth.print("objects", total);
        Truth.print("loaders", loaders[0]);
        Truth.print("freight.live_bytes", (long) KEPT.size() * FREIGHT_OBJECTS * FREIGHT_BYTES);
        Run.end();
    }

    private static long storm() {
        Object[] young = new Object[16];
        Object[] old = new Object[8192];
        long count = 0;
        while (Run.goesOn()) {
            for (int i = 0; i < 10_000; i++) {
                Object made = drop();
                young[i & 15] = made;
                if ((i & 255) == 0) {
                    old[(int) (count + i >> 8) & 8191] = made;
                }
            }
            count += 10_000;
        }
        return count;
    }

    private static Object drop() {
        return new Object();
    }

    private static int churn() {
        byte[] classFile = ClassFiles.of(Freight.class);
        int loaders = 0;
        while (Run.goesOn()) {
            Runnable freight = new LoaderChurn.OneClassLoader(Freight.class, classFile).newInstance();
            freight.run();
            KEPT.add(freight);
            if (KEPT.size() > KEPT_LOADERS) {
                KEPT.remove();
            }
            if (++loaders % LOADERS_PER_COLLECTION == 0) {
                System.gc();
            }
            Run.sleepMillis(PAUSE_MILLIS);
        }
        return loaders;
    }

    /**
     * The class that is defined again and again; it refers to the boot loader's classes only. An instance has 64 bytes in every
     * layout of objects.
     */
    public static final class Freight implements Runnable {
        private static final Freight[] ALL = new Freight[FREIGHT_OBJECTS];

        long a, b, c, d, e, f;

        @Override
        public void run() {
            for (int i = 0; i < ALL.length; i++) {
                ALL[i] = load();
            }
        }

        private static Freight load() {
            return new Freight();
        }
    }
}
