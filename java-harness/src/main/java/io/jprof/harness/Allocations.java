package io.jprof.harness;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.util.SplittableRandom;

/**
 * Threads that allocate objects of known sizes in methods of known names.
 *
 * <p>{@code Allocations [SECONDS=5] [MIXED=2]}; so many threads allocate from all sites in a random order, one more small
 * objects alone, and one large arrays alone. Prints {@code site.NAME.bytes} and {@code site.NAME.objects}, and for each
 * thread {@code thread.NAME.allocated_bytes} as the JVM counts it.
 */
public final class Allocations {
    private static final int HEADER_BYTES = 16;
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    /** What was allocated stays reachable for a moment, so that no compiler leaves it out. */
    private static final Object[] KEPT = new Object[64];

    private static final String[] SITES = {"object", "hundred", "page", "buffer", "large", "huge"};

    private final long[] counts = new long[SITES.length];
    private int next;

    private Allocations() {}

    public static void main(String[] args) {
        Run.begin(args, 5);
        int mixed = Run.intArgument(args, 1, 2);
        Allocations[] workers = new Allocations[mixed + 2];
        Thread[] threads = new Thread[workers.length];
        for (int i = 0; i < workers.length; i++) {
            Allocations worker = new Allocations();
            worker.next = i * 8;
            int kind = i;
            String name = i < mixed ? "mixed-" + i : i == mixed ? "small" : "large";
            workers[i] = worker;
            threads[i] = new Thread(() -> worker.run(kind < mixed ? 0 : kind - mixed + 1), name);
            threads[i].start();
        }
        Run.join(threads);
        for (int site = 0; site < SITES.length; site++) {
            long objects = 0;
            for (Allocations worker : workers) {
                objects += worker.counts[site];
            }
            Truth.print("site." + SITES[site] + ".objects", objects);
            Truth.print("site." + SITES[site] + ".bytes", objects * bytesOf(site));
        }
        Run.end();
    }

    private void run(int kind) {
        long id = Thread.currentThread().getId();
        long before = THREADS.getThreadAllocatedBytes(id);
        SplittableRandom random = new SplittableRandom(kind);
        while (Run.goesOn()) {
            for (int i = 0; i < 200; i++) {
                one(kind == 1 ? 0 : kind == 2 ? 4 : pick(random.nextInt(1000)));
            }
        }
        long allocated = THREADS.getThreadAllocatedBytes(id) - before;
        Truth.print("thread." + Thread.currentThread().getName() + ".allocated_bytes", allocated);
    }

    /** Sites whose objects are larger are seldom enough to have about as many bytes. */
    private static int pick(int of1000) {
        return of1000 < 700 ? 0 : of1000 < 930 ? 1 : of1000 < 985 ? 2 : of1000 < 998 ? 3 : of1000 < 999 ? 4 : 5;
    }

    private void one(int site) {
        counts[site]++;
        Object made;
        switch (site) {
            case 0: made = object(); break;
            case 1: made = hundred(); break;
            case 2: made = page(); break;
            case 3: made = buffer(); break;
            case 4: made = large(); break;
            default: made = huge(); break;
        }
        KEPT[next & 63] = made;
        next = (next & ~7) | ((next + 1) & 7);
    }

    private static long bytesOf(int site) {
        int[] sizes = {0, 100, 4096, 65_536, 307_200, 8 << 20};
        return (HEADER_BYTES + sizes[site] + 7) & ~7L;
    }

    private static Object object() {
        return new Object();
    }

    private static Object hundred() {
        return new byte[100];
    }

    private static Object page() {
        return new char[2048];
    }

    private static Object buffer() {
        return new long[8192];
    }

    private static Object large() {
        return new byte[307_200];
    }

    private static Object huge() {
        return new byte[8 << 20];
    }
}
