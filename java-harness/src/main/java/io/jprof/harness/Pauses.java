package io.jprof.harness;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicLongArray;

/**
 * Threads that do nothing but note when they could not run, in a process with many libraries.
 *
 * <p>{@code Pauses [SECONDS=5] [LIBRARIES=300] [FOLDER=.] [THREADS=1]}; copies of a small library of the JDK are put into
 * the folder and loaded. For each 100 ms since {@code start.unix_millis} it prints {@code pause.N}, the longest time in
 * nanoseconds between two rounds of a thread.
 */
public final class Pauses {
    private static final long WINDOW_NANOS = 100_000_000;

    private Pauses() {}

    public static void main(String[] args) throws IOException {
        int libraries = Run.intArgument(args, 1, 300);
        File folder = new File(args.length > 2 ? args[2] : ".");
        load(libraries, folder);
        Run.begin(args, 5);
        Truth.print("libraries", libraries);
        Truth.print("start.unix_millis", System.currentTimeMillis());
        long start = System.nanoTime();
        AtomicLongArray longest = new AtomicLongArray(100_000);
        Thread[] threads = new Thread[Run.intArgument(args, 3, 1)];
        for (int i = 0; i < threads.length; i++) {
            threads[i] = new Thread(() -> watch(start, longest), "watch-" + i);
            threads[i].start();
        }
        Run.join(threads);
        int windows = (int) ((System.nanoTime() - start) / WINDOW_NANOS);
        for (int i = 0; i < windows; i++) {
            Truth.print("pause." + i, longest.get(i));
        }
        Run.end();
    }

    private static void load(int libraries, File folder) throws IOException {
        Path library = find(new File(System.getProperty("java.home"), "lib"));
        for (int i = 0; i < libraries; i++) {
            Path copy = folder.toPath().resolve("libcopy" + i + ".so");
            Files.copy(library, copy);
            System.load(copy.toAbsolutePath().toString());
        }
    }

    /** The JDK's library for smart cards: it needs no other and does nothing when it is loaded. */
    private static Path find(File folder) throws IOException {
        for (String place : new String[] {".", "amd64", "aarch64"}) {
            Path library = folder.toPath().resolve(place).resolve("libj2pcsc.so");
            if (Files.exists(library)) {
                return library;
            }
        }
        throw new IOException("no libj2pcsc.so below " + folder);
    }

    private static void watch(long start, AtomicLongArray longest) {
        long before = System.nanoTime();
        while (Run.goesOn()) {
            long now = System.nanoTime();
            int window = (int) ((now - start) / WINDOW_NANOS);
            if (now - before > longest.get(window)) {
                longest.set(window, now - before);
            }
            before = now;
        }
    }
}
