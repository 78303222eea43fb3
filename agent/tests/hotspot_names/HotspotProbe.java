import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.management.ManagementFactory;
import java.lang.ref.WeakReference;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

/** Fills a JVM with classes of every kind and lets the native side compare what it reads with what the JVM says. */
public final class HotspotProbe {
    static native boolean verifyMethods(String label);
    static native long[] methodIds(Class<?> type);
    static native long stale(long[] ids, String prefix);
    static native boolean garbage(long seed);
    static native boolean redefine(Class<?> type, byte[] bytes);
    static native int threadId(Thread thread);
    static native int currentThreadId();
    static native String describe();
    static native String setDebugNonSafepoints();
    static native boolean counters();

    private static int failures;

    static void check(String name, boolean good, String detail) {
        System.out.println("check " + name + (good ? " ok" : " FAILED: " + detail));
        if (!good) {
            failures++;
        }
    }

    interface Greeter {
        String greet(String name);

        default String greetAll(String... names) {
            return Arrays.toString(names);
        }
    }

    /** Names that are written in more than one byte, one of them as a surrogate pair. */
    static final class Gr\u00f6\u00dfe\uD835\uDCB3 {
        int \u03bb\uD835\uDCB3(int[][] a, Gr\u00f6\u00dfe\uD835\uDCB3 b) {
            return a.length;
        }
    }

    enum Color { RED, GREEN }

    static void makeClasses() throws Throwable {
        new Gr\u00f6\u00dfe\uD835\uDCB3().\u03bb\uD835\uDCB3(new int[1][], null);
        Supplier<String> lambda = () -> "x" + Color.RED + System.nanoTime();
        lambda.get();
        Greeter proxy = (Greeter) Proxy.newProxyInstance(HotspotProbe.class.getClassLoader(), new Class<?>[] {Greeter.class}, (p, m, a) -> "hi");
        proxy.greet("x");
        ((Greeter) n -> n).greetAll("a");
        MethodHandles.lookup().findVirtual(String.class, "concat", MethodType.methodType(String.class, String.class)).invoke("a", "b");
        IntStream.range(0, 1000).mapToObj(Integer::toString).filter(s -> Pattern.matches("[0-9]+5", s)).sorted().count();
        java.security.MessageDigest.getInstance("SHA-256").digest(new byte[1]);
        new java.text.SimpleDateFormat("yyyy").format(new java.util.Date());
        java.time.ZonedDateTime.now().toString();
        new java.util.concurrent.ConcurrentSkipListMap<String, String>().put("a", "b");
        java.util.concurrent.CompletableFuture.supplyAsync(() -> 1).thenApply(i -> i + 1).get();
        new java.math.BigDecimal("1.5").pow(3);
        for (int i = 0; i < 40; i++) {
            HotspotProbe.class.getMethod("main", String[].class).getName();
            Thread.class.getMethod("currentThread").invoke(null);
        }
        ManagementFactory.getPlatformMXBeans(com.sun.management.HotSpotDiagnosticMXBean.class);
    }

    /** What is loaded by loaders of its own, and unloaded. */
    public static class Victim {
        public int first(int a) {
            int b = a + 1;

            return b * 2;
        }

        public static String second(String s, long[] l) {
            return s + l.length;
        }

        private void third() {
        }
    }

    static final class Loader extends ClassLoader {
        private final byte[] bytes;

        Loader(byte[] bytes) {
            super(null);
            this.bytes = bytes;
        }

        Class<?> load() {
            return defineClass(null, bytes, 0, bytes.length);
        }
    }

    static byte[] victimBytes() throws Exception {
        try (InputStream in = HotspotProbe.class.getResourceAsStream("HotspotProbe$Victim.class")) {
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            byte[] buffer = new byte[4096];
            for (int n; (n = in.read(buffer)) > 0; ) {
                out.write(buffer, 0, n);
            }
            return out.toByteArray();
        }
    }

    /** Loads and unloads classes while another thread reads their ids all the time. */
    static void unloading() throws Exception {
        byte[] bytes = victimBytes();
        final List<long[]> ids = new ArrayList<>();
        final boolean[] stop = new boolean[1];
        final long[] wrong = new long[1];
        Thread reader = new Thread(() -> {
            while (true) {
                long[][] now;
                synchronized (ids) {
                    if (stop[0]) {
                        return;
                    }
                    now = ids.toArray(new long[0][]);
                }
                for (long[] some : now) {
                    wrong[0] += stale(some, "HotspotProbe$Victim");
                }
            }
        });
        reader.setDaemon(true);
        reader.start();
        WeakReference<Class<?>> last = null;
        for (int round = 0; round < 8; round++) {
            for (int i = 0; i < 50; i++) {
                Class<?> victim = new Loader(bytes).load();
                long[] own = methodIds(victim);
                synchronized (ids) {
                    ids.add(own);
                }
                last = new WeakReference<>(victim);
                victim = null;
            }
            for (int collections = 0; last.get() != null; collections++) {
                if (collections == 200) {
                    throw new IllegalStateException("this collector unloads no classes");
                }
                System.gc();
                Thread.sleep(1);
            }
        }
        synchronized (ids) {
            stop[0] = true;
        }
        reader.join();
        check("unloading", wrong[0] == 0, wrong[0] + " ids led to another class");
        long stillThere = 0;
        for (long[] some : ids) {
            stillThere += stale(some, "no class has this name");
        }
        check("unloaded", stillThere < 4, stillThere + " ids of unloaded classes still led somewhere");
    }

    static void threads() throws Exception {
        check("thread-current", threadId(Thread.currentThread()) == currentThreadId(), "the ids differ");
        Thread thread;
        final int[] own = new int[1];
        CountDownLatch started = new CountDownLatch(1);
        CountDownLatch end = new CountDownLatch(1);
        thread = new Thread(() -> {
            own[0] = currentThreadId();
            started.countDown();
            try {
                end.await();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        });
        check("thread-new", threadId(thread) == 0, "a thread that has not started has an id");
        thread.start();
        started.await();
        check("thread-other", threadId(thread) == own[0], "the ids differ");
        end.countDown();
        thread.join();
        check("thread-ended", threadId(thread) == 0, "a thread that has ended has an id");
    }

    static void info(String[] args) {
        String[] lines = describe().split("\n");
        check("info-name", lines[0].equals(System.getProperty("java.vm.name")), lines[0]);
        check("info-version", lines[1].contains(System.getProperty("java.vm.version")), lines[1]);
        List<String> arguments = ManagementFactory.getRuntimeMXBean().getInputArguments();
        check("info-arguments", Arrays.asList(lines[2].split(" ")).equals(arguments), lines[2] + " for " + arguments);
        check("info-program", lines[3].equals("HotspotProbe " + String.join(" ", args)), lines[3]);
        long start = ManagementFactory.getRuntimeMXBean().getStartTime();
        long told = Long.parseLong(lines[4]);
        long process = Long.parseLong(lines[8]);
        // The JVM begins after its process and before its initialization is done; the process's start is known to a clock tick of 10 ms.
        check("info-start", process <= told + 10 && told <= start + 10, process + " <= " + told + " <= " + start);
        boolean exact = Boolean.parseBoolean(lines[7]);
        check("info-source", exact || told - process <= 10, told + " is not from the process: " + process);
        check("info-pid", ManagementFactory.getRuntimeMXBean().getName().startsWith(lines[5] + "@"), lines[5]);
        String specification = System.getProperty("java.specification.version").replace("1.8", "8");
        check("info-release", lines[6].equals(specification), lines[6] + " for " + specification);
        check("info-counters", counters() == exact, "the counters are not as the start says");
    }

    static void debugNonSafepoints(boolean chosen) {
        com.sun.management.HotSpotDiagnosticMXBean bean =
            ManagementFactory.getPlatformMXBean(com.sun.management.HotSpotDiagnosticMXBean.class);
        String outcome = setDebugNonSafepoints();
        String value = bean.getVMOption("DebugNonSafepoints").getValue();
        String expected = chosen ? "LeftAsChosen LeftAsChosen false" : "Set Unchanged true";
        check("flag-set", (outcome + " " + value).equals(expected), outcome + " " + value);
    }

    public static void main(String[] args) throws Throwable {
        System.load(args[0]);
        makeClasses();
        check("methods", verifyMethods("all"), "see above");
        byte[] bytes = victimBytes();
        Class<?> victim = new Loader(bytes).load();
        victim.getConstructor().newInstance();
        check("redefine", redefine(victim, bytes), "see above");
        check("methods-redefined", verifyMethods("redefined"), "see above");
        unloading();
        for (long seed = 1; seed <= 8; seed++) {
            check("garbage-" + seed, garbage(seed), "see above");
        }
        check("methods-again", verifyMethods("again"), "see above");
        threads();
        info(args);
        debugNonSafepoints(args[1].equals("chosen"));
        check("methods-last", verifyMethods("last"), "see above");
        if (victim.getName().isEmpty()) {
            throw new IllegalStateException("the redefined class is held to here");
        }
        System.out.println(failures == 0 ? "verdict: good" : "verdict: " + failures + " FAILED");
        System.exit(failures == 0 ? 0 : 1);
    }
}
