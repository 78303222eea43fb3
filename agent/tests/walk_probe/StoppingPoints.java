import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.reflect.Constructor;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.security.AccessController;
import java.security.PrivilegedAction;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.FutureTask;
import java.util.concurrent.locks.LockSupport;
import java.util.function.IntUnaryOperator;
import java.util.stream.IntStream;

/** Every way in which Java comes to a native method, from the interpreter's first round to compiled code. */
final class StoppingPoints {
    interface Body {
        void run() throws Throwable;
    }

    static final class Point {
        final String name;
        private final Body body;

        Point(String name, Body body) {
            this.name = name;
            this.body = body;
        }

        void run() throws Throwable {
            body.run();
        }
    }

    /** Enough for both compilers, but in the interpreter alone. */
    private final int rounds;
    /** For what takes longer. */
    private final int fewRounds;
    private static long sink;

    StoppingPoints(int rounds) {
        this.rounds = rounds;
        this.fewRounds = Math.max(rounds / 100, 10);
    }

    List<Point> all() {
        List<Point> points = new ArrayList<>();
        points.add(new Point("calls", () -> repeat(rounds, StoppingPoints::calls)));
        points.add(new Point("a loop", this::loop));
        points.add(new Point("arguments", () -> repeat(rounds, StoppingPoints::arguments)));
        points.add(new Point("locks", () -> repeat(rounds, new StoppingPoints(0)::locks)));
        points.add(new Point("depths", this::depths));
        points.add(new Point("receivers", () -> repeat(rounds, StoppingPoints::receivers)));
        points.add(new Point("lambdas", () -> repeat(rounds, StoppingPoints::lambdas)));
        points.add(new Point("reflection", () -> repeat(rounds, StoppingPoints::reflection)));
        points.add(new Point("method handles", () -> repeat(rounds, StoppingPoints::methodHandles)));
        points.add(new Point("constructors", () -> repeat(rounds, StoppingPoints::constructors)));
        points.add(new Point("handlers of exceptions", () -> repeat(rounds, StoppingPoints::exceptions)));
        points.add(new Point("calls up", () -> repeat(rounds, StoppingPoints::callsUp)));
        points.add(new Point("the library's calls", () -> repeat(rounds / 4, StoppingPoints::library)));
        points.add(new Point("initializers", () -> repeat(fewRounds, StoppingPoints::initializers)));
        points.add(new Point("class loaders", () -> repeat(fewRounds, StoppingPoints::loaders)));
        points.add(new Point("deoptimised callers", () -> repeat(fewRounds / 4, StoppingPoints::deoptimised)));
        points.add(new Point("threads", () -> repeat(fewRounds, StoppingPoints::threads)));
        points.add(new Point("suspended threads", this::suspended));
        if (virtualThreads() != null) {
            points.add(new Point("virtual threads", () -> repeat(fewRounds, StoppingPoints::virtualThread)));
        }
        return points;
    }

    private static void repeat(int rounds, Body body) throws Throwable {
        for (int i = 0; i < rounds; i++) {
            body.run();
        }
    }

    private static void stop() {
        sink += WalkProbe.judge();
    }

    private static void calls() {
        sink += first(1) + first(2);
    }

    private static int first(int n) {
        return second(n) + 1;
    }

    private static int second(int n) {
        return n == 1 ? WalkProbe.judge() : third(n) + 2;
    }

    private static int third(int n) {
        int before = WalkProbe.judge();
        return WalkProbe.judge() - before + n;
    }

    /** Compiled while it runs, so that its frame is replaced. */
    private void loop() {
        for (int i = 0; i < rounds; i++) {
            for (int j = 0; j < 50; j++) {
                sink = sink * 31 + j;
            }
            sink += first(i & 1);
        }
    }

    private static void arguments() {
        sink += WalkProbe.judgeWithMany(sink, "x", 1.5, 2, 0.5f, 3, 4, 5, 6, 7, 8);
    }

    private final WalkProbe lock = new WalkProbe();

    private synchronized void locks() {
        synchronized (lock) {
            sink += lock.judgeLocked();
            stop();
        }
    }

    /** Stacks are as much deeper as they should be. */
    private void depths() {
        for (int round = 0; round < fewRounds; round++) {
            for (int depth : new int[] {10, 100, 1000, 2000}) {
                int frames = descend(depth) - descend(0);
                if (frames != depth) {
                    throw new IllegalStateException(depth + " calls more give " + frames + " frames more");
                }
            }
        }
    }

    private static int descend(int depth) {
        return depth == 0 ? WalkProbe.judge() : descend(depth - 1);
    }

    interface Receiver {
        void stopThere();

        default void stopHere() {
            stop();
        }
    }

    static class ReceiverA implements Receiver {
        @Override
        public void stopThere() {
            stop();
        }
    }

    static final class ReceiverB extends ReceiverA {
        @Override
        public void stopThere() {
            super.stopThere();
        }
    }

    static final class ReceiverC implements Receiver {
        @Override
        public void stopThere() {
            stopHere();
        }
    }

    private static final Receiver[] RECEIVERS = {new ReceiverA(), new ReceiverB(), new ReceiverC(), StoppingPoints::stop};

    private static void receivers() {
        for (Receiver receiver : RECEIVERS) {
            receiver.stopThere();
        }
    }

    private static void lambdas() {
        int captured = (int) sink;
        IntUnaryOperator operator = n -> n + captured + WalkProbe.judge();
        sink += IntStream.range(0, 2).map(operator).filter(n -> WalkProbe.judge() > n).count();
    }

    private static final Method STOP;
    private static final Method DESCEND;
    private static final Constructor<Made> MAKE;
    private static final MethodHandle STOP_HANDLE;
    private static final MethodHandle DESCEND_HANDLE;
    /** Not final: no compiler knows where it leads. */
    private static MethodHandle[] handles;

    static {
        try {
            STOP = StoppingPoints.class.getDeclaredMethod("stop");
            DESCEND = StoppingPoints.class.getDeclaredMethod("descend", int.class);
            MAKE = Made.class.getDeclaredConstructor(int.class);
            MethodHandles.Lookup lookup = MethodHandles.lookup();
            STOP_HANDLE = lookup.unreflect(STOP);
            DESCEND_HANDLE = lookup.unreflect(DESCEND);
            MethodHandle judge = lookup.findStatic(WalkProbe.class, "judge", MethodType.methodType(int.class));
            MethodHandle add = lookup.findStatic(Math.class, "addExact", MethodType.methodType(int.class, int.class, int.class));
            handles = new MethodHandle[] {
                judge,
                MethodHandles.insertArguments(DESCEND_HANDLE, 0, 3),
                MethodHandles.foldArguments(MethodHandles.insertArguments(add, 1, 1), judge),
                MethodHandles.catchException(
                    judge,
                    RuntimeException.class,
                    MethodHandles.dropArguments(judge, 0, RuntimeException.class)),
                lookup.bind((Callable<Integer>) WalkProbe::judge, "call", MethodType.methodType(Object.class))
                    .asType(MethodType.methodType(int.class)),
            };
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private static void reflection() throws ReflectiveOperationException {
        STOP.invoke(null);
        sink += (Integer) DESCEND.invoke(null, 2);
        sink += MAKE.newInstance(1).count;
        Runnable proxy = (Runnable) Proxy.newProxyInstance(
            StoppingPoints.class.getClassLoader(),
            new Class<?>[] {Runnable.class},
            (self, method, arguments) -> {
                stop();
                return null;
            });
        proxy.run();
    }

    private static void methodHandles() throws Throwable {
        STOP_HANDLE.invokeExact();
        sink += (int) DESCEND_HANDLE.invokeExact(1);
        for (MethodHandle handle : handles) {
            sink += (int) handle.invokeExact();
        }
        sink += (Integer) handles[0].invokeWithArguments();
    }

    static class Base {
        int count = WalkProbe.judge();

        Base() {
            stop();
        }
    }

    static final class Made extends Base {
        final int second = WalkProbe.judge();

        Made(int n) {
            super();
            count += n;
            stop();
        }
    }

    private static void constructors() {
        sink += new Made(1).second;
    }

    private static void exceptions() {
        try {
            thrower(3);
        } catch (IllegalStateException e) {
            stop();
        } finally {
            stop();
        }
        try {
            sink += nullCheck(null);
        } catch (NullPointerException e) {
            stop();
        }
    }

    private static final IllegalStateException THROWN = new IllegalStateException("on purpose");

    private static void thrower(int depth) {
        try {
            if (depth == 0) {
                throw THROWN;
            }
            thrower(depth - 1);
        } finally {
            stop();
        }
    }

    private static int nullCheck(int[] numbers) {
        return numbers.length;
    }

    private static void callsUp() {
        WalkProbe.callUp(() -> {
            stop();
            WalkProbe.callUp(StoppingPoints::stop);
            stop();
        });
    }

    @SuppressWarnings({"deprecation", "removal"})
    private static void library() throws Exception {
        AccessController.doPrivileged((PrivilegedAction<Integer>) WalkProbe::judge);
        Integer[] numbers = {3, 1, 2};
        Arrays.sort(numbers, (a, b) -> {
            stop();
            return a - b;
        });
        new HashMap<Integer, Integer>().computeIfAbsent(1, n -> WalkProbe.judge());
        FutureTask<Integer> task = new FutureTask<>(WalkProbe::judge);
        task.run();
        sink += task.get();
        ("" + new Object() {
            @Override
            public String toString() {
                stop();
                return "x";
            }
        }).length();
    }

    private static void initializers() throws ReflectiveOperationException {
        new Guests.Loader(() -> { }).guest("Guests$GuestOfVm").run();
    }

    private static void loaders() throws ReflectiveOperationException {
        new Guests.Loader(StoppingPoints::stop).guest("Guests$GuestOfVm").run();
    }

    private static void deoptimised() throws ReflectiveOperationException {
        new Guests.Loader(() -> { }).guest("Guests$GuestShapes").run();
    }

    private static void threads() throws InterruptedException {
        Thread thread = new Thread(() -> {
            stop();
            throw THROWN;
        });
        thread.setUncaughtExceptionHandler((dying, why) -> stop());
        thread.start();
        thread.join();
    }

    /** Threads stop at their next safepoint, or are in native code or in the VM. */
    private void suspended() throws InterruptedException {
        Load load = new Load();
        load.start();
        for (int i = 0; i < rounds / 20; i++) {
            load.judgeSuspended();
            Thread.sleep(1);
        }
        load.stop();
    }

    /** {@code Thread.startVirtualThread}, where there is one. */
    private static Method virtualThreads() {
        try {
            return Thread.class.getMethod("startVirtualThread", Runnable.class);
        } catch (NoSuchMethodException e) {
            return null;
        }
    }

    private static void virtualThread() throws ReflectiveOperationException, InterruptedException {
        Thread thread = (Thread) virtualThreads().invoke(null, (Runnable) () -> descendAndPark(12));
        thread.join();
    }

    /** Frames that have been to the heap come back a few at a time. */
    private static void descendAndPark(int depth) {
        if (depth > 0) {
            descendAndPark(depth - 1);
            if (depth % 3 == 0) {
                stop();
            }
            return;
        }
        stop();
        for (int i = 0; i < 3; i++) {
            LockSupport.parkNanos(1);
            stop();
        }
    }
}
