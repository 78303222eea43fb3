package io.jprof.harness;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryPoolMXBean;
import java.lang.management.MemoryType;
import java.lang.management.MemoryUsage;
import java.util.Arrays;

/**
 * Methods that keep a known share of the objects that they allocate: none, each tenth, all. Each has threads of its own.
 *
 * <p>{@code Retainer [MIB=64] [THREADS=1] [HOLD_MILLIS=0]}; each method that keeps any comes to {@code MIB} MiB. Then all is
 * collected, printed and held for a while. Prints {@code site.NAME.live_bytes}; {@code objects} and {@code allocated_bytes} of
 * all threads; and of the heap after the collection {@code heap.used_bytes}, as the JVM tells it then, and
 * {@code heap.collection_bytes}, as it was when the collection had ended.
 */
public final class Retainer {
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    private static final String[] SITES = {"dropped", "tenth", "kept"};
    /** An object of each method, header and padding included. */
    private static final int[] BYTES = {1016, 2016, 64};
    /** Of how many objects one is kept. */
    private static final int[] KEEPS_ONE_OF = {0, 10, 1};

    /** What is kept, by thread. */
    private static Object[][] shelves;

    private final int site;
    private final int count;
    private long allocatedBytes;
    /** Reachable, so that no compiler leaves out what is dropped. */
    private Object last;

    private Retainer(int site, int count) {
        this.site = site;
        this.count = count;
    }

    public static void main(String[] args) {
        Run.begin(new String[0], 0);
        long bytes = (long) Run.intArgument(args, 0, 64) << 20;
        int perSite = Run.intArgument(args, 1, 1);
        Retainer[] workers = new Retainer[SITES.length * perSite];
        Thread[] threads = new Thread[workers.length];
        shelves = new Object[workers.length][];
        for (int i = 0; i < workers.length; i++) {
            int index = i;
            int site = i % SITES.length;
            // What keeps nothing allocates twice as much as another keeps.
            long share = bytes / BYTES[site] / perSite * (KEEPS_ONE_OF[site] == 0 ? 2 : KEEPS_ONE_OF[site]);
            workers[i] = new Retainer(site, (int) share);
            threads[i] = new Thread(() -> workers[index].run(index), SITES[site] + "-" + i / SITES.length);
            threads[i].start();
        }
        Run.join(threads);
        long[] live = new long[SITES.length];
        long objects = 0;
        long allocated = 0;
        for (int i = 0; i < workers.length; i++) {
            int site = workers[i].site;
            live[site] += (long) (shelves[i].length) * BYTES[site];
            objects += workers[i].count;
            allocated += workers[i].allocatedBytes;
            workers[i] = null;
        }
        System.gc();
        long used = ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
        for (int site = 0; site < SITES.length; site++) {
            Truth.print("site." + SITES[site] + ".live_bytes", live[site]);
        }
        Truth.print("objects", objects);
        Truth.print("allocated_bytes", allocated);
        Truth.print("heap.used_bytes", used);
        Truth.print("heap.collection_bytes", collectionBytes());
        Run.sleepMillis(Run.intArgument(args, 2, 0));
        Run.end();
    }

    /** What the last collection of each pool has left there. */
    private static long collectionBytes() {
        long bytes = 0;
        for (MemoryPoolMXBean pool : ManagementFactory.getMemoryPoolMXBeans()) {
            MemoryUsage usage = pool.getType() == MemoryType.HEAP ? pool.getCollectionUsage() : null;
            bytes += usage == null ? 0 : usage.getUsed();
        }
        return bytes;
    }

    private void run(int index) {
        long id = Thread.currentThread().getId();
        long before = THREADS.getThreadAllocatedBytes(id);
        int oneOf = KEEPS_ONE_OF[site];
        Object[] shelf = new Object[oneOf == 0 ? 0 : count / oneOf];
        int kept = 0;
        for (int i = 0; i < count; i++) {
            Object made = one();
            last = made;
            if (oneOf != 0 && i % oneOf == 0 && kept < shelf.length) {
                shelf[kept++] = made;
            }
        }
        last = null;
        shelves[index] = Arrays.copyOf(shelf, kept);
        allocatedBytes = THREADS.getThreadAllocatedBytes(id) - before;
    }

    private Object one() {
        switch (site) {
            case 0: return dropped();
            case 1: return tenth();
            default: return kept();
        }
    }

    private static Object dropped() {
        return new byte[1000];
    }

    private static Object tenth() {
        return new char[1000];
    }

    private static Object kept() {
        return new Parcel();
    }

    /** 64 bytes in every layout of objects: none of its fields is a reference. */
    static final class Parcel {
        long a, b, c, d, e, f;
    }
}
