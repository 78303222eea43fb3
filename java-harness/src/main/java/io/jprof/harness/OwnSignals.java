package io.jprof.harness;

import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

/**
 * A program that lives by signals of its own, while two threads work.
 *
 * <p>{@code OwnSignals [TIMES=50] [LIBRARY]}; sends itself USR2, HUP, INT and TERM that often, for which it has handlers in
 * Java; then, with the library {@code guest} of the end-to-end tests, SIGPROF and SIGALRM in every way that there is. Prints
 * how many of each came. The JVM must have loaded the library as an agent: that is when its handlers were installed.
 */
public final class OwnSignals {
    private static final String[] SIGNALS = {"USR2", "HUP", "INT", "TERM"};

    /** In the order of the library's numbers. */
    private static final String[] WAYS = {
        "raise", "kill", "sigqueue", "tgkill", "timer_create", "setitimer(ITIMER_PROF)", "F_SETSIG", "setitimer(ITIMER_REAL)"
    };

    private static volatile boolean over;

    private OwnSignals() {}

    /** Sends itself signals; how many came as they were sent, and for each that came without having been sent 1,000 more. */
    private static native int send(int way, int times);

    public static void main(String[] args) throws Exception {
        int times = Run.intArgument(args, 0, 50);
        Thread[] workers = new Thread[2];
        for (int i = 0; i < workers.length; i++) {
            workers[i] = new Thread(OwnSignals::work, "worker-" + i);
            workers[i].start();
        }
        System.out.println("begins");
        for (String name : SIGNALS) {
            System.out.println(name + " " + raise(name, times));
        }
        if (args.length > 1) {
            System.load(args[1]);
            for (int way = 0; way < WAYS.length; way++) {
                System.out.println(WAYS[way] + " " + send(way, times));
            }
        }
        over = true;
        Run.join(workers);
        System.exit(3);
    }

    private static void work() {
        while (!over) {
            Work.piece();
        }
    }

    /** sun.misc is not for the compiler to know: by reflection. */
    private static int raise(String name, int times) throws Exception {
        Class<?> type = Class.forName("sun.misc.Signal");
        Class<?> handlerType = Class.forName("sun.misc.SignalHandler");
        Semaphore came = new Semaphore(0);
        InvocationHandler handler = (proxy, method, arguments) -> {
            came.release();
            return null;
        };
        Object proxy = Proxy.newProxyInstance(OwnSignals.class.getClassLoader(), new Class<?>[] {handlerType}, handler);
        Constructor<?> constructor = type.getConstructor(String.class);
        Object signal = constructor.newInstance(name);
        Method handle = type.getMethod("handle", type, handlerType);
        Method raise = type.getMethod("raise", type);
        handle.invoke(null, signal, proxy);
        int received = 0;
        int retries = times;
        for (int i = 0; i < times; i++) {
            raise.invoke(null, signal);
            // One after the other: two of a kind that wait at the same time are one.
            if (came.tryAcquire(1, TimeUnit.SECONDS)) {
                received++;
            } else if (name.equals("INT") && retries-- > 0) {
                // The JVM drops it until it has done with the one before, which it does after that one's handler has begun.
                i--;
            }
        }
        return received + came.drainPermits() * 1000;
    }
}
