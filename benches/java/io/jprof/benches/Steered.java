package io.jprof.benches;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.concurrent.CyclicBarrier;

/**
 * Does fixed amounts of work when told to, so that several JVMs can take turns on one machine.
 *
 * <p>{@code Steered THREADS}; each line {@code WORK DEPTH UNITS} on standard input, with WORK one of {@code mix},
 * {@code spin} and {@code allocate}, makes each thread do so many units at that depth of calls. The answer is a line
 * {@code done WALL_NANOS CPU_NANOS}, the second being the sum of the threads' CPU clocks. Ends with its input.
 */
public final class Steered {
    private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

    private final CyclicBarrier barrier;
    private final long[] cpuNanos;
    private volatile Order order;
    private static volatile long sink;

    private Steered(int threads) {
        barrier = new CyclicBarrier(threads + 1);
        cpuNanos = new long[threads];
    }

    public static void main(String[] args) throws Exception {
        int threads = Integer.parseInt(args[0]);
        Steered steered = new Steered(threads);
        for (int i = 0; i < threads; i++) {
            int index = i;
            Thread worker = new Thread(() -> steered.work(index), "worker-" + i);
            worker.setDaemon(true);
            worker.start();
        }
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            System.out.println(steered.carryOut(new Order(line)));
            System.out.flush();
        }
    }

    private String carryOut(Order next) throws Exception {
        order = next;
        barrier.await();
        long began = System.nanoTime();
        barrier.await();
        long wall = System.nanoTime() - began;
        long cpu = 0;
        for (long nanos : cpuNanos) {
            cpu += nanos;
        }
        return "done " + wall + " " + cpu;
    }

    private void work(int index) {
        try {
            Units units = new Units(index);
            while (true) {
                barrier.await();
                long began = THREADS.getCurrentThreadCpuTime();
                sink = units.run(order);
                cpuNanos[index] = THREADS.getCurrentThreadCpuTime() - began;
                barrier.await();
            }
        } catch (Exception e) {
            e.printStackTrace();
            System.exit(1);
        }
    }

    /** What one line asks for. */
    static final class Order {
        final String work;
        final int depth;
        final int units;

        Order(String line) {
            String[] words = line.split(" ");
            work = words[0];
            depth = Integer.parseInt(words[1]);
            units = Integer.parseInt(words[2]);
        }
    }
}
