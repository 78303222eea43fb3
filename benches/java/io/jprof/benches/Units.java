package io.jprof.benches;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/** The work of one thread, by units of some hundred microseconds at the bottom of a recursion. */
final class Units {
    private static final int MULTIPLICATIONS = 200_000;

    private final int[] unsorted = new int[1_000];
    private final Map<Integer, String> names = new HashMap<>();
    private final Object[] young = new Object[64];
    private final Object[] old = new Object[1 << 17];
    private int aged;
    private long seed;

    Units(int index) {
        seed = index;
        for (int i = 0; i < unsorted.length; i++) {
            unsorted[i] = (int) next();
            names.put(i, "name-" + i);
        }
    }

    long run(Steered.Order order) {
        long sum = 0;
        for (int i = 0; i < order.units; i++) {
            switch (order.work) {
                case "mix": sum += mix(order.depth); break;
                case "spin": sum += spin(order.depth); break;
                default: sum += allocate(order.depth); break;
            }
        }
        return sum;
    }

    /** Library calls, allocation, and arithmetic, as applications do them. */
    private long mix(int depth) {
        return depth > 0 ? mix(depth - 1) + 1 : sort() + lookUp() + text() + arithmetic(5_000);
    }

    /** Arithmetic and nothing else: its cost does not vary, and each stack has the depth that was asked for. */
    private long spin(int depth) {
        return depth > 0 ? spin(depth - 1) + 1 : arithmetic(MULTIPLICATIONS);
    }

    /** Objects of several sizes and nothing else; each sixteenth outlives some collections. */
    private long allocate(int depth) {
        return depth > 0 ? allocate(depth - 1) + 1 : objects();
    }

    private long objects() {
        for (int i = 0; i < 4_000; i++) {
            Object made;
            switch (i & 3) {
                case 0: made = new Object(); break;
                case 1: made = new long[4]; break;
                case 2: made = new byte[100]; break;
                default: made = new Object[6]; break;
            }
            young[i & 63] = made;
            if (i % 16 == aged % 4) {
                old[aged++ & (old.length - 1)] = made;
            }
        }
        return aged;
    }

    private long sort() {
        int[] numbers = unsorted.clone();
        Arrays.sort(numbers);
        return numbers[numbers.length / 2];
    }

    private long lookUp() {
        long sum = 0;
        for (int i = 0; i < 1_000; i++) {
            sum += names.get((i * 7) % 1_000).length();
        }
        return sum;
    }

    private long text() {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < 200; i++) {
            text.append("item ").append(i).append(';');
        }
        return text.toString().hashCode();
    }

    private long arithmetic(int multiplications) {
        for (int i = 0; i < multiplications; i++) {
            next();
        }
        return seed;
    }

    private long next() {
        seed = seed * 6364136223846793005L + 1442695040888963407L;
        return seed;
    }
}
