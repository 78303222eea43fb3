package io.jprof.harness;

/**
 * Class loaders that define a class, run it and are dropped, so that classes are unloaded while they are profiled.
 *
 * <p>{@code LoaderChurn [SECONDS=5] [THREADS=2]}; prints {@code loaders}. At the end all of them are gone, so that what is
 * left of them in memory is a leak.
 */
public final class LoaderChurn {
    /** A collection after so many loaders of a thread: each unloads what the last ones defined. */
    private static final int LOADERS_PER_COLLECTION = 200;

    /** Collections at the end, and a pause for the VM's threads after each: newer JVMs free what was unloaded there. */
    private static final int LAST_COLLECTIONS = 2;

    private static final long PAUSE_MILLIS = 100;

    private LoaderChurn() {}

    public static void main(String[] args) {
        Run.begin(args, 5);
        Thread[] threads = new Thread[Run.intArgument(args, 1, 2)];
        int[] loaders = new int[threads.length];
        for (int i = 0; i < threads.length; i++) {
            int index = i;
            threads[i] = new Thread(() -> loaders[index] = churn(), "loaders-" + i);
            threads[i].start();
        }
        Run.join(threads);
        int total = 0;
        for (int count : loaders) {
            total += count;
        }
        Truth.print("loaders", total);
        for (int i = 0; i < LAST_COLLECTIONS; i++) {
            System.gc();
            Run.sleepMillis(PAUSE_MILLIS);
        }
        Run.end();
    }

    /** Loads and drops until the run ends; how many loaders there were. */
    static int churn() {
        byte[] classFile = ClassFiles.of(Passenger.class);
        int loaders = 0;
        while (Run.goesOn()) {
            new OneClassLoader(Passenger.class, classFile).newInstance().run();
            if (++loaders % LOADERS_PER_COLLECTION == 0) {
                System.gc();
            }
        }
        return loaders;
    }

    /** Defines a class anew that refers to the boot loader's classes only, whoever defined it elsewhere. */
    static final class OneClassLoader extends ClassLoader {
        private final String name;
        private final byte[] classFile;

        OneClassLoader(Class<? extends Runnable> type, byte[] classFile) {
            super(Runnable.class.getClassLoader());
            this.name = type.getName();
            this.classFile = classFile;
        }

        Runnable newInstance() {
            Class<?> type = defineClass(name, classFile, 0, classFile.length);
            try {
                return (Runnable) type.getDeclaredConstructor().newInstance();
            } catch (ReflectiveOperationException e) {
                throw new IllegalStateException(e);
            }
        }
    }

    /** The class that is defined again and again; it refers to the boot loader's classes only. */
    public static final class Passenger implements Runnable {
        static volatile long sink;

        @Override
        public void run() {
            workOfPassenger();
        }

        private static void workOfPassenger() {
            long x = sink;
            for (int i = 0; i < 100_000; i++) {
                x = x * 6364136223846793005L + 1442695040888963407L;
            }
            sink = x;
        }
    }
}
