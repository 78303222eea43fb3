package io.jprof.harness;

/**
 * Code that is compiled by what has been seen so far, and then sees something else: it is deoptimised while it runs, again
 * and again, since each round loads its classes anew.
 *
 * <p>{@code DeoptStorm [SECONDS=5] [THREADS=1]}; prints {@code storms}, the number of rounds.
 */
public final class DeoptStorm {
    private static final String GUEST = DeoptStorm.class.getName() + "$Guest";

    private DeoptStorm() {}

    public static void main(String[] args) {
        Run.begin(args, 5);
        Thread[] threads = new Thread[Run.intArgument(args, 1, 1)];
        int[] storms = new int[threads.length];
        for (int i = 0; i < threads.length; i++) {
            int index = i;
            threads[i] = new Thread(() -> storms[index] = storm(), "deopts-" + i);
            threads[i].start();
        }
        Run.join(threads);
        int total = 0;
        for (int count : storms) {
            total += count;
        }
        Truth.print("storms", total);
        Run.end();
    }

    /** Storms until the run ends; how often. */
    static int storm() {
        int storms = 0;
        while (Run.goesOn()) {
            new GuestLoader().newStorm().run();
            storms++;
        }
        return storms;
    }

    /** Defines the guests itself, and takes all else from its parent. */
    private static final class GuestLoader extends ClassLoader {
        GuestLoader() {
            super(DeoptStorm.class.getClassLoader());
        }

        @Override
        protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
            if (!name.startsWith(GUEST)) {
                return super.loadClass(name, resolve);
            }
            synchronized (getClassLoadingLock(name)) {
                Class<?> loaded = findLoadedClass(name);
                if (loaded != null) {
                    return loaded;
                }
                byte[] classFile = ClassFiles.named(name);
                return defineClass(name, classFile, 0, classFile.length);
            }
        }

        Runnable newStorm() {
            try {
                return (Runnable) loadClass(GUEST + "Storm").getDeclaredConstructor().newInstance();
            } catch (ReflectiveOperationException e) {
                throw new IllegalStateException(e);
            }
        }
    }

    /** One round. */
    public static final class GuestStorm implements Runnable {
        /** Enough calls for the second compiler. */
        private static final int CALLS = 12_000;

        static volatile long sink;

        @Override
        public void run() {
            receivers();
            branches();
            types();
            nulls();
            numbers();
        }

        /** A class that is the only one of its kind, until a second and a third are loaded. */
        private static void receivers() {
            GuestShape square = new GuestSquare();
            long sum = 0;
            for (int i = 0; i < CALLS; i++) {
                sum += areas(square);
            }
            GuestShape circle = new GuestCircle();
            for (int i = 0; i < CALLS; i++) {
                sum += areas(i % 2 == 0 ? square : circle);
            }
            GuestShape triangle = new GuestTriangle();
            for (int i = 0; i < CALLS; i++) {
                sum += areas(i % 3 == 0 ? triangle : circle);
            }
            sink += sum;
        }

        private static long areas(GuestShape shape) {
            long sum = 0;
            for (int i = 0; i < 8; i++) {
                sum += shape.area() + i;
            }
            return sum;
        }

        /** A branch that is never taken, until it is: in a loop whose frame is replaced while it runs. */
        private static void branches() {
            long sum = 0;
            for (int i = 0; i < 8 * CALLS; i++) {
                sum += i < 7 * CALLS ? i : rare(i);
            }
            sink += sum;
        }

        private static long rare(long n) {
            return n % 3 == 0 ? n * 31 : n ^ 7;
        }

        /** Casts and stores that always succeed, until another type comes. */
        private static void types() {
            Object[] texts = {"a", "b"};
            Object[] mixed = {"a", 1L};
            long sum = 0;
            for (int i = 0; i < 2 * CALLS; i++) {
                Object[] from = i < CALLS ? texts : mixed;
                sum += lengthOf(from[i & 1]);
            }
            sink += sum;
        }

        private static int lengthOf(Object value) {
            try {
                return ((CharSequence) value).length();
            } catch (ClassCastException e) {
                return -1;
            }
        }

        private static void nulls() {
            long sum = 0;
            for (int i = 0; i < 2 * CALLS; i++) {
                sum += sizeOf(i > CALLS && i % 100 == 0 ? null : new int[i & 3]);
            }
            sink += sum;
        }

        private static int sizeOf(int[] numbers) {
            try {
                return numbers.length;
            } catch (NullPointerException e) {
                return 0;
            }
        }

        /** Indices in bounds, and sums without overflow, until they are not. */
        private static void numbers() {
            int[] table = new int[64];
            long sum = 0;
            for (int i = 0; i < 2 * CALLS; i++) {
                sum += sumOf(table, i > CALLS && i % 50 == 0 ? 65 : 64);
            }
            sink += sum;
        }

        private static int sumOf(int[] table, int length) {
            int sum = length > 64 ? Integer.MAX_VALUE : 0;
            try {
                for (int i = 0; i < length; i++) {
                    sum = Math.addExact(sum, table[i] + 1);
                }
            } catch (ArithmeticException | ArrayIndexOutOfBoundsException e) {
                return -1;
            }
            return sum;
        }
    }

    public abstract static class GuestShape {
        abstract long area();
    }

    public static final class GuestSquare extends GuestShape {
        @Override
        long area() {
            return 4;
        }
    }

    public static final class GuestCircle extends GuestShape {
        @Override
        long area() {
            return 3;
        }
    }

    public static final class GuestTriangle extends GuestShape {
        @Override
        long area() {
            return 2;
        }
    }
}
