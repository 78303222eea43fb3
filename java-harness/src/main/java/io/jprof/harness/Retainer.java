package io.jprof.harness;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryPoolMXBean;
import java.lang.management.MemoryType;
import java.lang.management.MemoryUsage;
import java.util.SplittableRandom;

/**
 * Methods that keep a known share of the objects that they allocate: none, each tenth, all.
 *
 * <p>{@code Retainer [SECONDS=2] [MIB=64] [THREADS=1]}; threads call the methods in a random order, evenly over that time,
 * until each of those that keep any has come to {@code MIB} MiB. Then all is collected. Prints {@code site.NAME.live_bytes};
 * {@code objects} and {@code allocated_bytes} of all threads; and of the heap after the collection {@code heap.used_bytes},
 * as the JVM tells it then, and {@code heap.collection_bytes}, as it was when the collection had ended.
 */
public final class Retainer {
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    private static final String[] SITES = {"dropped", "tenth", "kept"};
    /** An object of each method, header and padding included. */
    private static final int[] BYTES = {1016, 2016, 64};
    /** How many times MIB each method allocates, and of how many of its objects it keeps one. */
    private static final int[] TIMES = {2, 10, 1};
    private static final int[] KEEPS_ONE_OF = {0, 10, 1};

    /** Objects between two looks at the clock. */
    private static final int AT_ONCE = 256;

    private static long nanos;
    /** What is kept, by thread. */
    private static Object[][] shelves;

    private final int[] counts = new int[SITES.length];
    private final Object[] shelf;
    private int kept;
    /** Reachable, so that no compiler leaves out what is dropped. */
    private Object last;

    private Retainer(long bytes) {
        int places = 0;
        for (int site = 0; site < SITES.length; site++) {
            counts[site] = (int) (bytes * TIMES[site] / BYTES[site]);
            places += keptOf(site);
        }
        shelf = new Object[places];
    }

    public static void main(String[] args) {
        Run.begin(args, 2);
        nanos = (long) (1e9 * (args.length > 0 ? Double.parseDouble(args[0]) : 2));
        long bytes = (long) Run.intArgument(args, 1, 64) << 20;
        Thread[] threads = new Thread[Run.intArgument(args, 2, 1)];
        shelves = new Object[threads.length][];
        long[] allocated = new long[threads.length];
        long[] live = new long[SITES.length];
        long objects = 0;
        for (int i = 0; i < threads.length; i++) {
            int index = i;
            Retainer worker = new Retainer(bytes / threads.length);
            for (int site = 0; site < SITES.length; site++) {
                live[site] += (long) worker.keptOf(site) * BYTES[site];
                objects += worker.counts[site];
            }
            threads[i] = new Thread(() -> allocated[index] = worker.run(index), "retainer-" + i);
        }
        for (Thread thread : threads) {
            thread.start();
        }
        Run.join(threads);
        System.gc();
        long used = ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
        long allocatedBytes = 0;
        for (long bytesOfThread : allocated) {
            allocatedBytes += bytesOfThread;
        }
        for (int site = 0; site < SITES.length; site++) {
            Truth.print("site." + SITES[site] + ".live_bytes", live[site]);
        }
        Truth.print("objects", objects);
        Truth.print("allocated_bytes", allocatedBytes);
        Truth.print("heap.used_bytes", used);
        Truth.print("heap.collection_bytes", collectionBytes());
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

    private int keptOf(int site) {
        return KEEPS_ONE_OF[site] == 0 ? 0 : counts[site] / KEEPS_ONE_OF[site];
    }

    /** Allocates all; how many bytes that were. */
    private long run(int index) {
        long id = Thread.currentThread().getId();
        long before = THREADS.getThreadAllocatedBytes(id);
        SplittableRandom random = new SplittableRandom(index);
        int[] left = counts.clone();
        int all = counts[0] + counts[1] + counts[2];
        double nanosOfOne = (double) nanos / all;
        long end = System.nanoTime() + nanos;
        for (; all > 0; all--) {
            while (all % AT_ONCE == 0 && end - System.nanoTime() > all * nanosOfOne) {
                Run.sleepMillis(1);
            }
            int chosen = random.nextInt(all);
            int site = chosen < left[0] ? 0 : chosen < left[0] + left[1] ? 1 : 2;
            left[site]--;
            Object made = one(site);
            last = made;
            if (KEEPS_ONE_OF[site] != 0 && (counts[site] - left[site]) % KEEPS_ONE_OF[site] == 0) {
                shelf[kept++] = made;
            }
        }
        last = null;
        shelves[index] = shelf;
        return THREADS.getThreadAllocatedBytes(id) - before;
    }

    private static Object one(int site) {
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
