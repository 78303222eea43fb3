package io.jprof.harness;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;

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

    public static void main(String[] args) throws IOException {
        Run.begin(args, 5);
        byte[] passenger = classFile(Passenger.class);
        Thread[] threads = new Thread[Run.intArgument(args, 1, 2)];
        int[] loaders = new int[threads.length];
        for (int i = 0; i < threads.length; i++) {
            int index = i;
            threads[i] = new Thread(() -> loaders[index] = churn(passenger), "loaders-" + i);
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

    private static int churn(byte[] classFile) {
        int loaders = 0;
        while (Run.goesOn()) {
            new OneClassLoader(classFile).newPassenger().run();
            if (++loaders % LOADERS_PER_COLLECTION == 0) {
                System.gc();
            }
        }
        return loaders;
    }

    private static byte[] classFile(Class<?> type) throws IOException {
        try (InputStream in = type.getResourceAsStream("/" + type.getName().replace('.', '/') + ".class")) {
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            byte[] buffer = new byte[4096];
            for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
                bytes.write(buffer, 0, n);
            }
            return bytes.toByteArray();
        }
    }

    /** Defines {@link Passenger} anew, whoever defined it elsewhere. */
    private static final class OneClassLoader extends ClassLoader {
        private final byte[] classFile;

        OneClassLoader(byte[] classFile) {
            super(Runnable.class.getClassLoader());
            this.classFile = classFile;
        }

        Runnable newPassenger() {
            Class<?> type = defineClass(Passenger.class.getName(), classFile, 0, classFile.length);
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
