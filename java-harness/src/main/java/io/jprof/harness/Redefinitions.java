package io.jprof.harness;

import java.lang.instrument.ClassDefinition;
import java.lang.instrument.Instrumentation;
import java.util.Arrays;

/**
 * A class that is redefined while its methods run. It needs {@code -javaagent} with a jar whose manifest names this class as
 * {@code Premain-Class} and has {@code Can-Redefine-Classes: true}.
 *
 * <p>{@code Redefinitions [SECONDS=5]}; prints {@code redefinitions}.
 */
public final class Redefinitions {
    /** Each one stops the JVM and deoptimises its code: so many that other work goes on between them. */
    private static final long PAUSE_MILLIS = 20;

    /** In the constant pool: its tag, and the four bytes of {@link Redefined#FACTOR}. */
    private static final byte[] CONSTANT = {3, 0x13, 0x57, 0x24, 0x69};

    private static volatile Instrumentation instrumentation;

    private Redefinitions() {}

    public static void premain(String arguments, Instrumentation given) {
        instrumentation = given;
    }

    /** Whether the JVM has the agent that may redefine. */
    static boolean arePossible() {
        return instrumentation != null;
    }

    public static void main(String[] args) {
        Run.begin(args, 5);
        Thread worker = new Thread(Redefinitions::work, "redefined");
        worker.start();
        int count = redefine();
        Run.join(worker);
        Truth.print("redefinitions", count);
        Run.end();
    }

    /** Redefines the class until the run ends; how often. */
    static int redefine() {
        byte[] first = ClassFiles.of(Redefined.class);
        byte[] second = first.clone();
        second[indexOf(first, CONSTANT) + 1]++;
        int count = 0;
        while (Run.goesOn()) {
            byte[] next = count++ % 2 == 0 ? second : first;
            try {
                instrumentation.redefineClasses(new ClassDefinition(Redefined.class, next));
            } catch (ReflectiveOperationException | java.lang.instrument.UnmodifiableClassException e) {
                throw new IllegalStateException(e);
            }
            Run.sleepMillis(PAUSE_MILLIS);
        }
        return count;
    }

    /** Runs the class's methods until the run ends. */
    static void work() {
        long sum = 0;
        while (Run.goesOn()) {
            sum += Redefined.outer(sum);
        }
        Redefined.sink = sum;
    }

    private static int indexOf(byte[] bytes, byte[] wanted) {
        for (int i = 0; i + wanted.length <= bytes.length; i++) {
            if (Arrays.equals(Arrays.copyOfRange(bytes, i, i + wanted.length), wanted)) {
                return i;
            }
        }
        throw new IllegalStateException("the class file has no such constant");
    }

    /** Two versions of it differ in a constant. */
    static final class Redefined {
        static final int FACTOR = 0x13572469;

        static volatile long sink;

        private Redefined() {}

        static long outer(long seed) {
            long x = seed;
            for (int i = 0; i < 200; i++) {
                x += inner(x);
            }
            return x;
        }

        private static long inner(long seed) {
            long x = seed;
            for (int i = 0; i < 500; i++) {
                x = x * 31 + FACTOR;
            }
            return x;
        }
    }
}
