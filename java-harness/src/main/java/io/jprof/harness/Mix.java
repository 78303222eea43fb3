package io.jprof.harness;

import java.lang.reflect.Method;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.locks.ReentrantLock;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

/**
 * A mix of what applications do: sorting, maps, regular expressions, streams, exceptions, SHA-256, arraycopy,
 * reflection, contended locks and short-lived threads.
 *
 * <p>{@code Mix [SECONDS=10] [THREADS=2]}; prints {@code rounds} (one round is each kind of work once) and
 * {@code checksum}, which is the same for the same number of rounds: tests compare it with and without a profiler.
 */
public final class Mix {
    private static final Pattern WORDS = Pattern.compile("(\\w+)@(\\w+)\\.(com|org|net)");
    private static final ReentrantLock LOCK = new ReentrantLock();
    private static final Object MONITOR = new Object();
    private static long shared;

    private final Random random;
    private long checksum;

    private Mix(long seed) {
        random = new Random(seed);
    }

    public static void main(String[] args) throws Exception {
        Run.begin(args, 10);
        Worker[] workers = new Worker[Run.intArgument(args, 1, 2)];
        for (int i = 0; i < workers.length; i++) {
            workers[i] = new Worker(i);
            workers[i].start();
        }
        Run.join(workers);
        long rounds = 0;
        for (Worker worker : workers) {
            if (worker.failure != null) {
                throw worker.failure;
            }
            rounds += worker.rounds;
        }
        Truth.print("rounds", rounds);
        Truth.print("checksum", new Mix(42).rounds(20));
        Run.end();
    }

    /** Does rounds until the run ends. */
    static final class Worker extends Thread {
        long rounds;
        Exception failure;

        Worker(int index) {
            super("mix-" + index);
        }

        @Override
        public void run() {
            Mix mix = new Mix(getId());
            try {
                while (Run.goesOn()) {
                    mix.round();
                    rounds++;
                }
            } catch (Exception e) {
                failure = e;
            }
        }
    }

    private long rounds(int count) throws Exception {
        for (int i = 0; i < count; i++) {
            round();
        }
        return checksum;
    }

    private void round() throws Exception {
        checksum = checksum * 31 + sort();
        checksum = checksum * 31 + maps();
        checksum = checksum * 31 + regex();
        checksum = checksum * 31 + streams();
        checksum = checksum * 31 + exceptions();
        checksum = checksum * 31 + sha256();
        checksum = checksum * 31 + copies();
        checksum = checksum * 31 + reflection();
        locks();
        checksum = checksum * 31 + shortLivedThread();
    }

    private long sort() {
        Integer[] numbers = new Integer[5_000];
        for (int i = 0; i < numbers.length; i++) {
            numbers[i] = random.nextInt();
        }
        Arrays.sort(numbers, (a, b) -> Integer.compare(b, a));
        return numbers[numbers.length / 2];
    }

    private long maps() {
        Map<String, Integer> hashed = new HashMap<>();
        Map<String, Integer> sorted = new TreeMap<>();
        for (int i = 0; i < 2_000; i++) {
            String key = "key-" + random.nextInt(500);
            hashed.merge(key, i, Integer::sum);
            sorted.merge(key, 1, Integer::sum);
        }
        long sum = 0;
        for (Map.Entry<String, Integer> entry : sorted.entrySet()) {
            sum = sum * 7 + entry.getValue() + hashed.get(entry.getKey());
        }
        return sum;
    }

    private long regex() {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < 200; i++) {
            text.append("user").append(random.nextInt(1000)).append("@host").append(i).append(".org and ");
        }
        Matcher matcher = WORDS.matcher(text);
        long sum = 0;
        while (matcher.find()) {
            sum = sum * 7 + matcher.group(1).length() + matcher.start();
        }
        return sum;
    }

    private long streams() {
        int factor = random.nextInt(100);
        return IntStream.range(0, 20_000)
                .filter(i -> i % 3 != 0)
                .mapToObj(i -> Integer.toString(i * factor))
                .mapToLong(String::length)
                .sum();
    }

    private long exceptions() {
        long caught = 0;
        for (int i = 0; i < 200; i++) {
            try {
                throwFrom(10 + random.nextInt(10));
            } catch (IllegalArgumentException e) {
                caught += e.getMessage().length();
            }
        }
        return caught;
    }

    private static void throwFrom(int depth) {
        if (depth == 0) {
            throw new IllegalArgumentException("on purpose");
        }
        throwFrom(depth - 1);
    }

    private long sha256() throws Exception {
        byte[] data = new byte[64 * 1024];
        random.nextBytes(data);
        return Arrays.hashCode(MessageDigest.getInstance("SHA-256").digest(data));
    }

    private long copies() {
        byte[] from = new byte[256 * 1024];
        byte[] to = new byte[from.length];
        for (int i = 0; i < 20; i++) {
            from[i] = (byte) random.nextInt();
            System.arraycopy(from, 0, to, i, from.length - i);
        }
        return to[20];
    }

    private long reflection() throws Exception {
        Method method = String.class.getMethod("length");
        long sum = 0;
        for (int i = 0; i < 2_000; i++) {
            sum += (Integer) method.invoke("jprof");
        }
        return sum;
    }

    private static void locks() {
        for (int i = 0; i < 1_000; i++) {
            synchronized (MONITOR) {
                shared++;
            }
            LOCK.lock();
            try {
                shared++;
            } finally {
                LOCK.unlock();
            }
        }
    }

    private static long shortLivedThread() throws InterruptedException {
        long[] result = new long[1];
        Thread thread = new Thread(() -> result[0] = 7, "mix-short");
        thread.start();
        thread.join();
        return result[0];
    }
}
