import java.lang.reflect.Method;
import java.math.BigInteger;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import java.util.zip.CRC32;

/** Threads that do a little of everything until they are stopped. */
final class Load {
    private static final Pattern WORDS = Pattern.compile("(\\w+)@(\\w+)\\.(com|org|net)");
    private static final Object MONITOR = new Object();
    private static final int LOADERS_PER_COLLECTION = 50;

    private static volatile long sink;
    private volatile boolean goesOn = true;
    private final Member[] members = {
        new Member(this::compute, "load-compute"),
        new Member(this::runtime, "load-runtime"),
        new Member(this::classes, "load-classes"),
        new Member(this::shortThreads, "load-threads"),
    };

    private static final class Member extends Thread {
        private final CountDownLatch enlisted = new CountDownLatch(1);
        private final Runnable body;
        private volatile int number;

        Member(Runnable body, String name) {
            super(name);
            this.body = body;
        }

        @Override
        public void run() {
            number = WalkProbe.enlist();
            enlisted.countDown();
            body.run();
        }
    }

    void start() throws InterruptedException {
        for (Member member : members) {
            member.start();
            member.enlisted.await();
        }
    }

    /** Suspends each of the threads once. */
    void judgeSuspended() {
        for (Member member : members) {
            WalkProbe.judgeSuspended(member, member.number);
        }
    }

    void stop() throws InterruptedException {
        goesOn = false;
        for (Member member : members) {
            member.join();
        }
    }

    private void compute() {
        Random random = new Random(1);
        while (goesOn) {
            sink += sorted(random) + maps(random) + regex(random) + streams() + recursive(random.nextInt(800));
            sink += new BigInteger(2048, random).pow(3).bitLength();
        }
    }

    private static long sorted(Random random) {
        Integer[] numbers = new Integer[2_000];
        for (int i = 0; i < numbers.length; i++) {
            numbers[i] = random.nextInt();
        }
        Arrays.sort(numbers, (a, b) -> Integer.compare(b, a));
        return numbers[7];
    }

    private static long maps(Random random) {
        Map<String, Integer> hashed = new HashMap<>();
        Map<String, Integer> ordered = new TreeMap<>();
        for (int i = 0; i < 500; i++) {
            String key = "key-" + random.nextInt(300);
            hashed.merge(key, i, Integer::sum);
            ordered.merge(key, 1, Integer::sum);
        }
        return hashed.hashCode() + ordered.hashCode();
    }

    private static long regex(Random random) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < 50; i++) {
            text.append("user").append(random.nextInt(1000)).append("@host").append(i).append(".org and ");
        }
        Matcher matcher = WORDS.matcher(text);
        long sum = 0;
        while (matcher.find()) {
            sum += matcher.group(1).length();
        }
        return sum;
    }

    private static long streams() {
        return IntStream.range(0, 2_000).filter(i -> i % 3 != 0).mapToObj(Integer::toString).mapToLong(String::length).sum();
    }

    private static long recursive(int depth) {
        return depth == 0 ? sink : recursive(depth - 1) + 1;
    }

    /** What is done by stubs and by the VM. */
    private void runtime() {
        try {
            Method length = String.class.getMethod("length");
            byte[] from = new byte[64 * 1024];
            byte[] to = new byte[from.length];
            for (int i = 0; goesOn; i++) {
                MessageDigest digest = MessageDigest.getInstance("SHA-256");
                CRC32 crc = new CRC32();
                digest.update(from);
                crc.update(from);
                System.arraycopy(from, 0, to, i & 63, from.length - 64);
                sink += crc.getValue() + digest.digest()[0] + (Integer) length.invoke("x");
                exceptions(i);
                for (int j = 0; j < 100; j++) {
                    synchronized (MONITOR) {
                        sink++;
                    }
                }
            }
        } catch (ReflectiveOperationException | java.security.NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    private static void exceptions(int round) {
        for (int i = 0; i < 20; i++) {
            try {
                throwFrom(i);
            } catch (IllegalArgumentException e) {
                sink += e.getMessage().length();
            }
            try {
                sink += lengthOf(i % 10 == 0 ? null : "x");
            } catch (NullPointerException e) {
                sink++;
            }
        }
        if (round % 50 == 0) {
            try {
                sink += overflow(0);
            } catch (StackOverflowError e) {
                sink++;
            }
        }
    }

    private static void throwFrom(int depth) {
        if (depth == 0) {
            throw new IllegalArgumentException("on purpose");
        }
        throwFrom(depth - 1);
    }

    private static int lengthOf(String text) {
        return text.length();
    }

    private static long overflow(long n) {
        return 1 + overflow(n + 1);
    }

    /** Classes come and go, and take their code with them. */
    private void classes() {
        try {
            for (int i = 1; goesOn; i++) {
                new Guests.Loader(() -> { }).guest("Guests$GuestWorker").run();
                if (i % LOADERS_PER_COLLECTION == 0) {
                    System.gc();
                }
            }
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }

    private void shortThreads() {
        try {
            Method startVirtual = virtualThreads();
            while (goesOn) {
                CountDownLatch done = new CountDownLatch(4);
                Runnable work = () -> {
                    sink += recursive(20);
                    Thread.yield();
                    synchronized (MONITOR) {
                        sink++;
                    }
                    done.countDown();
                };
                for (int i = 0; i < 4; i++) {
                    if (startVirtual != null && i % 2 == 0) {
                        startVirtual.invoke(null, work);
                    } else {
                        new Thread(work, "load-short").start();
                    }
                }
                done.await();
            }
        } catch (ReflectiveOperationException | InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    private static Method virtualThreads() {
        try {
            return Thread.class.getMethod("startVirtualThread", Runnable.class);
        } catch (NoSuchMethodException e) {
            return null;
        }
    }
}
