package io.jprof.harness;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.locks.LockSupport;

/**
 * Threads that do so many things of one kind each, and what the kernel counted of them.
 *
 * <p>{@code Counted [PAGES=20000] [WAITS=2000] [READS=20000]}: {@code toucher} writes to so many pages for the first time,
 * {@code waiter} waits so often, {@code reader} makes so many system calls {@code pread64}. Prints
 * {@code thread.NAME.faults}, {@code thread.NAME.switches}, {@code thread.NAME.cpu_nanos}, {@code reads}, and the process's
 * {@code run.faults}.
 */
public final class Counted {
    private static final int PAGE_BYTES = 4_096;
    private static final int WAIT_NANOS = 200_000;

    private Counted() {}

    public static void main(String[] args) throws Exception {
        Run.begin(new String[0], 0);
        long before = faults("/proc/self/stat");
        Path file = Files.createTempFile("counted", null);
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            int pages = Run.intArgument(args, 0, 20_000);
            int waits = Run.intArgument(args, 1, 2_000);
            int reads = Run.intArgument(args, 2, 20_000);
            channel.truncate(0);
            channel.write(ByteBuffer.allocate(1), (long) pages * PAGE_BYTES - 1);
            run("toucher", () -> touch(channel, pages));
            run("waiter", () -> await(waits));
            run("reader", () -> read(channel, reads));
            Truth.print("reads", reads);
        } finally {
            Files.delete(file);
        }
        Truth.print("run.faults", faults("/proc/self/stat") - before);
        Run.end();
    }

    private interface Task {
        void run() throws IOException;
    }

    private static void run(String name, Task task) {
        Thread thread = new Thread(() -> {
            long faults = faults("/proc/thread-self/stat");
            long switches = switches();
            try {
                task.run();
            } catch (IOException e) {
                throw new IllegalStateException(e);
            }
            Truth.print("thread." + name + ".faults", faults("/proc/thread-self/stat") - faults);
            Truth.print("thread." + name + ".switches", switches() - switches);
            ThreadClock.print();
        }, name);
        thread.start();
        Run.join(thread);
    }

    /** Each write is a fault of its own: the page of the file is copied for the mapping. */
    static void touch(FileChannel file, int pages) throws IOException {
        MappedByteBuffer memory = file.map(FileChannel.MapMode.PRIVATE, 0, (long) pages * PAGE_BYTES);
        for (int page = 0; page < pages; page++) {
            memory.put(page * PAGE_BYTES, (byte) 1);
        }
    }

    static void await(int times) {
        for (int i = 0; i < times; i++) {
            LockSupport.parkNanos(WAIT_NANOS);
        }
    }

    static void read(FileChannel file, int times) throws IOException {
        ByteBuffer oneByte = ByteBuffer.allocateDirect(1);
        for (int i = 0; i < times; i++) {
            oneByte.clear();
            file.read(oneByte, 0);
        }
    }

    /** Page faults so far of the process or thread that a stat is of: its fields 10 and 12. */
    private static long faults(String path) {
        String stat = text(path);
        String[] afterName = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
        return Long.parseLong(afterName[7]) + Long.parseLong(afterName[9]);
    }

    /** Switches of the calling thread to others so far, of its own will and not. */
    private static long switches() {
        long sum = 0;
        for (String line : text("/proc/thread-self/status").split("\n")) {
            if (line.contains("voluntary_ctxt_switches:")) {
                sum += Long.parseLong(line.substring(line.indexOf(':') + 1).trim());
            }
        }
        return sum;
    }

    private static String text(String path) {
        try {
            return new String(Files.readAllBytes(Paths.get(path)), StandardCharsets.ISO_8859_1);
        } catch (IOException e) {
            throw new IllegalStateException(path + " cannot be read", e);
        }
    }
}
