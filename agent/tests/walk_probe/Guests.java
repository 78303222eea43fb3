import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;

/** Classes that are loaded anew by loaders of their own, so that what happens once per class happens again and again. */
final class Guests {
    private Guests() {}

    /** Defines the classes nested here itself, and takes all others from its parent. */
    static final class Loader extends ClassLoader {
        private final Runnable atEachLoad;

        Loader(Runnable atEachLoad) {
            super(Guests.class.getClassLoader());
            this.atEachLoad = atEachLoad;
        }

        @Override
        protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
            atEachLoad.run();
            if (!name.startsWith("Guests$Guest")) {
                return super.loadClass(name, resolve);
            }
            synchronized (getClassLoadingLock(name)) {
                Class<?> loaded = findLoadedClass(name);
                return loaded != null ? loaded : define(name);
            }
        }

        private Class<?> define(String name) throws ClassNotFoundException {
            try (InputStream in = Guests.class.getResourceAsStream("/" + name + ".class")) {
                ByteArrayOutputStream out = new ByteArrayOutputStream();
                byte[] buffer = new byte[4096];
                for (int n; (n = in.read(buffer)) > 0; ) {
                    out.write(buffer, 0, n);
                }
                return defineClass(name, out.toByteArray(), 0, out.size());
            } catch (IOException e) {
                throw new ClassNotFoundException(name, e);
            }
        }

        Runnable guest(String name) throws ReflectiveOperationException {
            return (Runnable) Class.forName(name, true, this).getDeclaredConstructor().newInstance();
        }
    }

    /** Its initializer, its friend's, and the loading of both are asked for by the VM. */
    public static final class GuestOfVm implements Runnable {
        static final int OWN = WalkProbe.judge();
        private final int field = WalkProbe.judge();

        public GuestOfVm() {
            super();
            WalkProbe.judge();
        }

        @Override
        public void run() {
            if (field + GuestFriend.count == 0) {
                throw new IllegalStateException("both have frames");
            }
        }
    }

    public static class GuestFriend {
        static int count = inInitializer();

        private static int inInitializer() {
            return GuestFriendsFriend.COUNT[0] + WalkProbe.judge();
        }
    }

    public static final class GuestFriendsFriend extends GuestFriend {
        static final int[] COUNT = {WalkProbe.judge()};
    }

    /** What one class of a kind allows, and a second one of its kind takes back: callers are deoptimised while they run. */
    public static final class GuestShapes implements Runnable {
        private long sum;

        @Override
        public void run() {
            GuestShape square = new GuestSquare();
            for (int i = 0; i < 20_000; i++) {
                sum += outer(square, i == 19_000 || i == 19_999);
            }
        }

        private static long outer(GuestShape shape, boolean breaksIt) {
            return 1 + inner(shape, breaksIt);
        }

        private static long inner(GuestShape shape, boolean breaksIt) {
            return 3 + shape.area(breaksIt);
        }
    }

    public abstract static class GuestShape {
        abstract long area(boolean breaksIt);
    }

    public static final class GuestSquare extends GuestShape {
        private static int second;

        @Override
        long area(boolean breaksIt) {
            if (breaksIt) {
                WalkProbe.judge();
                if (second++ == 0) {
                    new GuestCircle().area(false);
                } else {
                    new GuestTriangle().area(false);
                }
                WalkProbe.judge();
            }
            return 4;
        }
    }

    public static final class GuestCircle extends GuestShape {
        @Override
        long area(boolean breaksIt) {
            return 3;
        }
    }

    public static final class GuestTriangle extends GuestShape {
        @Override
        long area(boolean breaksIt) {
            return 2;
        }
    }

    /** Work without any stop. */
    public static final class GuestWorker implements Runnable {
        static volatile long sink;

        @Override
        public void run() {
            long x = sink;
            for (int i = 0; i < 20_000; i++) {
                x = x * 6364136223846793005L + 1442695040888963407L;
            }
            sink = x;
        }
    }
}
