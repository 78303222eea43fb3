package io.jprof.harness;

/**
 * A program that lives with faults: the JVM makes exceptions out of loads that the processor refuses.
 *
 * <p>{@code OwnFaults [TIMES=10000]}; provokes so many NullPointerExceptions by implicit null checks, and so many
 * StackOverflowErrors, each in a thread of its own, {@code nulls} and {@code overflows}. Prints how many came, as {@code
 * null_pointers} and {@code stack_overflows}, and {@code checksum} of the work that was done between them.
 */
public final class OwnFaults {
    /** Calls with an array before the first one without: enough for the method to be compiled. */
    private static final int WARM_UP = 30_000;

    /** The smallest stack that every JVM takes. */
    private static final long STACK_BYTES = 256 * 1024;

    private OwnFaults() {}

    public static void main(String[] args) {
        // There is no time to be kept, only a number of faults.
        Run.begin(new String[0], 0);
        int times = Run.intArgument(args, 0, 10_000);
        long[] counts = new long[3];
        Thread nulls = new Thread(() -> counts[0] = nullPointers(times, counts), "nulls");
        Thread overflows = new Thread(null, () -> counts[1] = stackOverflows(times), "overflows", STACK_BYTES);
        nulls.start();
        overflows.start();
        Run.join(nulls, overflows);
        Truth.print("null_pointers", counts[0]);
        Truth.print("stack_overflows", counts[1]);
        Truth.print("checksum", counts[2]);
        Run.end();
    }

    private static long nullPointers(int times, long[] counts) {
        int[] array = {1, 2, 3};
        long sum = 0;
        for (int i = 0; i < WARM_UP; i++) {
            sum += lengthOf(array);
        }
        long caught = 0;
        for (int i = 0; i < times; i++) {
            try {
                sum += lengthOf(i % 2 == 0 ? null : array);
                sum += lengthOf(i % 2 == 1 ? null : array);
            } catch (NullPointerException e) {
                caught++;
            }
            Work.piece();
        }
        counts[2] = sum;
        return caught;
    }

    private static int lengthOf(int[] array) {
        return array.length;
    }

    private static long stackOverflows(int times) {
        long caught = 0;
        for (int i = 0; i < times; i++) {
            try {
                descend(1, 2, 3, 4, 5, 6, 7, 8);
            } catch (StackOverflowError e) {
                caught++;
            }
        }
        return caught;
    }

    /** Without end, and with frames so large that not too many fit on the stack: each of them is unwound. */
    private static long descend(long a, long b, long c, long d, long e, long f, long g, long h) {
        long below = descend(b, c, d, e, f, g, h, a + 1);
        return below + a + b + c + d + e + f + g + h;
    }
}
