/**
 * The walker of Java stacks in a JVM: {@code WalkProbe LIBRARY judge ROUNDS} stops at known points and compares stacks,
 * {@code WalkProbe LIBRARY hostile SETS SEED} walks from registers that mean nothing while the JVM does all that it can.
 */
public final class WalkProbe {
    static native void prepare();

    static native boolean remove();

    /** Compares the calling thread's two stacks: the number of frames, -1 when they differ. */
    public static native int judge();

    /** The same; its wrapper has arguments of every kind to move, also on the stack. */
    static native int judgeWithMany(
        long a, Object b, double c, int d, float e, long f, long g, long h, long i, long j, long k);

    /** The same in a method of an instance, locked. */
    synchronized native int judgeLocked();

    /** Lets the calling thread be suspended; its number. */
    static native int enlist();

    /** Suspends an enlisted thread for a comparison. */
    static native void judgeSuspended(Thread thread, int number);

    static native void callUp(Runnable runnable);

    static native boolean judged(String label);

    static native boolean hostile(long sets, long seed);

    private static int failures;

    static void check(String name, boolean good, String detail) {
        System.out.println("check " + name + (good ? " ok" : " FAILED: " + detail));
        if (!good) {
            failures++;
        }
    }

    /** What the JVM does by means of SIGSEGV: null checks without an instruction, and the end of the stack. */
    static void checkFaults(String when) {
        int caught = 0;
        for (int i = 0; i < 20_000; i++) {
            int[] numbers = i % 100 == 0 ? null : new int[i % 7];
            try {
                caught += lengthOf(numbers) < 0 ? 1 : 0;
            } catch (NullPointerException e) {
                caught++;
            }
        }
        check("null checks " + when, caught == 200, caught + " of 200");
        int overflows = 0;
        for (int i = 0; i < 20; i++) {
            try {
                overflow(i);
            } catch (StackOverflowError e) {
                overflows++;
            }
        }
        check("stack overflows " + when, overflows == 20, overflows + " of 20");
    }

    private static int lengthOf(int[] numbers) {
        return numbers.length;
    }

    private static long overflow(long n) {
        return 1 + overflow(n + 1);
    }

    private static void judgeAll(int rounds) throws Throwable {
        StoppingPoints points = new StoppingPoints(rounds);
        for (StoppingPoints.Point point : points.all()) {
            point.run();
            check("judged " + point.name, judged(point.name), "see above");
        }
    }

    private static void attack(long sets, long seed) throws Exception {
        Load load = new Load();
        load.start();
        // Some of it compiled, some not yet.
        Thread.sleep(500);
        check("hostile", hostile(sets, seed), "see above");
        checkFaults("beside the walks");
        load.stop();
    }

    public static void main(String[] args) throws Throwable {
        System.load(args[0]);
        checkFaults("before");
        prepare();
        checkFaults("under the handlers");
        if (args[1].equals("judge")) {
            judgeAll(Integer.parseInt(args[2]));
        } else {
            attack(Long.parseLong(args[2]), Long.parseLong(args[3]));
        }
        check("handlers are put back", remove(), "they are not");
        checkFaults("after");
        System.out.println(failures == 0 ? "verdict: good" : "verdict: " + failures + " FAILED");
        System.exit(failures == 0 ? 0 : 1);
    }
}
