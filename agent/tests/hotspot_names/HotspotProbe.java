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
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

/** Fills a JVM with classes of every kind and lets the native side compare what it reads with what the JVM says. */
public final class HotspotProbe {
    static native boolean verifyMethods(String label);
    static native void remember(Class<?> type);
    static native long judge();
    static native void forget();
    static native long classesLoaded();
    static native String readableName(Class<?> type);
    static native boolean readableNames();
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

        /** Defines and initializes the class: before, its methods have no ids. */
        Class<?> load() throws ClassNotFoundException {
            return Class.forName(defineClass(null, bytes, 0, bytes.length).getName(), true, this);
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

    /** The victim's bytes under another name of the same length, so that it fits into the same memory. */
    static byte[] renamed(byte[] bytes, int number) throws Exception {
        byte[] from = "HotspotProbe$Victim".getBytes("US-ASCII");
        byte[] to = String.format("HotspotProbe$V%05d", number).getBytes("US-ASCII");
        byte[] copy = bytes.clone();
        for (int at = 0; at + from.length <= copy.length; at++) {
            boolean here = true;
            for (int i = 0; here && i < from.length; i++) {
                here = copy[at + i] == from[i];
            }
            if (here) {
                System.arraycopy(to, 0, copy, at, to.length);
            }
        }
        return copy;
    }

    /** Loads and unloads classes that fit into each other's memory while another thread looks at their methods all the time. */
    static void unloading() throws Exception {
        byte[] bytes = victimBytes();
        final AtomicBoolean stop = new AtomicBoolean();
        final AtomicLong wrong = new AtomicLong();
        Thread reader = new Thread(() -> {
            while (!stop.get()) {
                if (judge() < 0) {
                    wrong.incrementAndGet();
                }
                // The table's lock is not fair: the other thread is to have it, too.
                LockSupport.parkNanos(50_000);
            }
        });
        reader.setDaemon(true);
        reader.start();
        WeakReference<Class<?>> last = null;
        boolean counted = true;
        for (int round = 0; round < 8; round++) {
            long before = classesLoaded();
            for (int i = 0; i < 50; i++) {
                Class<?> victim = new Loader(renamed(bytes, round * 50 + i)).load();
                remember(victim);
                last = new WeakReference<>(victim);
                victim = null;
            }
            counted &= before < 0 || classesLoaded() >= before + 50;
            for (int collections = 0; last.get() != null; collections++) {
                if (collections == 200) {
                    throw new IllegalStateException("this collector unloads no classes");
                }
                System.gc();
                Thread.sleep(1);
            }
        }
        stop.set(true);
        reader.join();
        check("unloading", wrong.get() == 0, "a method was taken for another one");
        check("unloading-counted", counted, "classes were loaded and not counted");
        // What is freed may lie there as it was until somebody needs the memory, so the last round's methods do not count.
        long same = judge();
        check("unloaded", same >= 0 && same <= 200, same + " methods of unloaded classes are still there");
        forget();
    }

    /** Methods that stay are the same as before, whatever the JVM does with them; redefinition makes others of them. */
    static void redefining() throws Exception {
        byte[] bytes = victimBytes();
        Class<?> victim = new Loader(bytes).load();
        Object instance = victim.getConstructor().newInstance();
        remember(victim);
        long methods = judge();
        check("footprint-fresh", methods == 4, methods + " methods of 4");
        System.gc();
        for (int i = 0; i < 20000; i++) {
            Arrays.asList(1, 2, 3).contains(4);
        }
        check("footprint-later", judge() == methods, "a method is no longer itself");
        long before = classesLoaded();
        check("redefine", redefine(victim, bytes), "see above");
        check("redefine-counted", before < 0 || classesLoaded() > before, "a redefinition is not counted");
        forget();
        remember(victim);
        check("footprint-redefined", judge() == methods, "a redefined method is no longer itself");
        check("methods-redefined", verifyMethods("redefined"), "see above");
        forget();
        if (instance.getClass() != victim) {
            throw new IllegalStateException("the redefined class is held to here");
        }
    }

    static void names() {
        Supplier<String> lambda = () -> "x";
        Supplier<String> other = () -> "y";
        String name = readableName(lambda.getClass());
        check("name-lambda", name.equals("HotspotProbe$$Lambda"), name);
        check("name-lambdas", readableName(other.getClass()).equals(name), readableName(other.getClass()));
        Object proxy = Proxy.newProxyInstance(HotspotProbe.class.getClassLoader(), new Class<?>[] {Greeter.class}, (p, m, a) -> "hi");
        String raw = proxy.getClass().getName().replace('.', '/');
        check("name-proxy", readableName(proxy.getClass()).equals(raw), raw);
        check("name-plain", readableName(Color.class).equals("HotspotProbe$Color"), readableName(Color.class));
        check("names", readableNames(), "see above");
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
        names();
        redefining();
        unloading();
        for (long seed = 1; seed <= 8; seed++) {
            check("garbage-" + seed, garbage(seed), "see above");
        }
        check("methods-again", verifyMethods("again"), "see above");
        threads();
        info(args);
        debugNonSafepoints(args[1].equals("chosen"));
        check("methods-last", verifyMethods("last"), "see above");
        System.out.println(failures == 0 ? "verdict: good" : "verdict: " + failures + " FAILED");
        System.exit(failures == 0 ? 0 : 1);
    }
}
