package io.jprof.harness;

import java.io.FileInputStream;
import java.io.IOException;
import java.util.concurrent.CountDownLatch;

/**
 * A program of which every printed byte and the exit status are known, whatever the machine does.
 *
 * <p>{@code Bystander [PIECES=20000] [THREADS=2] [FILES=0]}; each of the threads {@code bystander-0} and so on does {@code
 * PIECES} pieces of work in {@link #major} and half as many in {@link #minor}. All of them are there before the first one
 * works. Meanwhile main has {@code FILES} files open and runs a child process. Prints a checksum for each thread and a line
 * on standard error, and ends with status 3.
 */
public final class Bystander {
    private Bystander() {}

    public static void main(String[] args) throws IOException, InterruptedException {
        int pieces = Run.intArgument(args, 0, 20_000);
        Thread[] threads = new Thread[Run.intArgument(args, 1, 2)];
        long[] sums = new long[threads.length];
        CountDownLatch born = new CountDownLatch(threads.length);
        System.out.println("begins");
        for (int i = 0; i < threads.length; i++) {
            int number = i;
            threads[i] = new Thread(() -> sums[number] = work(born, pieces, number), "bystander-" + i);
            threads[i].start();
        }
        born.await();
        useFiles(Run.intArgument(args, 2, 0));
        System.out.println("a child ended with " + new ProcessBuilder("/bin/sh", "-c", "exit 7").start().waitFor());
        Run.join(threads);
        for (int i = 0; i < threads.length; i++) {
            System.out.println(threads[i].getName() + " " + sums[i]);
        }
        System.err.println("ends");
        System.exit(3);
    }

    private static void useFiles(int count) throws IOException {
        FileInputStream[] files = new FileInputStream[count];
        for (int i = 0; i < count; i++) {
            files[i] = new FileInputStream("/dev/null");
        }
        int read = 0;
        for (FileInputStream file : files) {
            read += file.read();
            file.close();
        }
        System.out.println(count + " files open at once, each at its end: " + (read == -count));
    }

    private static long work(CountDownLatch born, int pieces, int number) {
        born.countDown();
        try {
            born.await();
        } catch (InterruptedException e) {
            throw new IllegalStateException("nobody interrupts a harness program", e);
        }
        long sum = 2 * number;
        // In turns, so that both meet the same compilers, and short ones, of which no clock is a multiple.
        for (int done = 0; done < pieces; done += 2) {
            sum = minor(1, major(2, sum));
        }
        return sum;
    }

    static long major(int pieces, long seed) {
        long x = seed;
        for (int i = 0; i < pieces; i++) {
            x = piece(x);
        }
        return x;
    }

    static long minor(int pieces, long seed) {
        long x = seed;
        for (int i = 0; i < pieces; i++) {
            x = piece(x);
        }
        return x;
    }

    private static long piece(long seed) {
        // No steps of it can be made one, as compilers do with sums and products.
        long x = seed | 1;
        for (int i = 0; i < 4_000; i++) {
            x ^= x << 13;
            x ^= x >>> 7;
            x ^= x << 17;
        }
        return x;
    }
}
