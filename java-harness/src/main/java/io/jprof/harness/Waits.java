package io.jprof.harness;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * Every kind of wait that a signal may interrupt, each in a thread of its own that works a little before each of its waits.
 *
 * <p>{@code Waits TIMES LOCK}; prints what each wait came to in each of its rounds, and writes to the file {@code TIMES} a line
 * {@code NAME SHORTEST LONGEST} for each, in nanoseconds. The wait {@code lock} is for a lock on the file {@code LOCK}, which
 * whoever started the program gives free some time after it has printed {@code waits}.
 */
public final class Waits {
    private static final int ROUNDS = 5;
    private static final int MILLIS = 150;
    private static final long WORK_NANOS = 3_000_000L;

    private Waits() {}

    /** One wait; what it came to. */
    private interface Wait {
        String once() throws Exception;
    }

    public static void main(String[] args) throws Exception {
        List<Waiter> waiters = new ArrayList<>();
        InetAddress here = InetAddress.getByName("127.0.0.1");
        addSockets(waiters, here);
        waiters.add(new Waiter("sleep", ROUNDS, () -> {
            Thread.sleep(MILLIS);
            return "slept";
        }));
        waiters.add(new Waiter("wait", ROUNDS, () -> {
            Object monitor = new Object();
            synchronized (monitor) {
                monitor.wait(MILLIS);
            }
            return "waited";
        }));
        waiters.add(new Waiter("park", ROUNDS, () -> {
            LockSupport.parkNanos(MILLIS * 1_000_000L);
            return "parked";
        }));
        waiters.add(new Waiter("acquire", ROUNDS, () -> {
            boolean acquired = new Semaphore(0).tryAcquire(MILLIS, TimeUnit.MILLISECONDS);
            return "acquired " + acquired;
        }));
        waiters.add(new Waiter("process", ROUNDS, () -> {
            Process child = new ProcessBuilder("/bin/sh", "-c", "sleep 0.15; echo done; exit 7").start();
            int first = child.getInputStream().read();
            return (char) first + " " + child.waitFor();
        }));
        waiters.add(new Waiter("process timeout", ROUNDS, () -> {
            Process child = new ProcessBuilder("/bin/sleep", "5").start();
            boolean ended = child.waitFor(MILLIS, TimeUnit.MILLISECONDS);
            child.destroy();
            return ended + " " + child.waitFor();
        }));
        RandomAccessFile locked = new RandomAccessFile(args[1], "rw");
        waiters.add(new Waiter("lock", 1, () -> "locked " + locked.getChannel().lock().isValid()));
        System.out.println("waits");
        Thread[] threads = new Thread[waiters.size()];
        for (int i = 0; i < threads.length; i++) {
            threads[i] = new Thread(waiters.get(i), waiters.get(i).name);
            threads[i].start();
        }
        Run.join(threads);
        List<String> times = new ArrayList<>();
        for (Waiter waiter : waiters) {
            System.out.print(waiter.outcome);
            times.add(waiter.name.replace(' ', '-') + " " + waiter.shortest + " " + waiter.longest);
        }
        Files.write(Paths.get(args[0]), times);
        System.exit(3);
    }

    private static void addSockets(List<Waiter> waiters, InetAddress here) throws IOException {
        ServerSocket silent = new ServerSocket(0, 50, here);
        silent.setSoTimeout(MILLIS);
        waiters.add(new Waiter("accept", ROUNDS, () -> silent.accept().toString()));

        ServerSocket mute = new ServerSocket(0, 50, here);
        Socket reader = new Socket(here, mute.getLocalPort());
        reader.setSoTimeout(MILLIS);
        waiters.add(new Waiter("read", ROUNDS, () -> "read " + reader.getInputStream().read()));

        ServerSocket full = new ServerSocket(0, 1, here);
        List<SocketChannel> fillers = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            SocketChannel filler = SocketChannel.open();
            filler.configureBlocking(false);
            filler.connect(full.getLocalSocketAddress());
            fillers.add(filler);
        }
        waiters.add(new Waiter("connect", ROUNDS, () -> {
            try (Socket socket = new Socket()) {
                socket.connect(new InetSocketAddress(here, full.getLocalPort()), MILLIS);
                return "connected to a full queue, beside " + fillers.size();
            }
        }));

        DatagramSocket datagrams = new DatagramSocket(0, here);
        datagrams.setSoTimeout(MILLIS);
        waiters.add(new Waiter("receive", ROUNDS, () -> {
            datagrams.receive(new DatagramPacket(new byte[8], 8));
            return "received";
        }));

        Selector selector = Selector.open();
        waiters.add(new Waiter("select", ROUNDS, () -> "selected " + selector.select(MILLIS)));

        // Reads and accepts without a timeout, for which the other side lets them wait.
        ServerSocket slow = new ServerSocket(0, 50, here);
        Thread server = new Thread(() -> serveSlowly(slow), "server");
        server.setDaemon(true);
        server.start();
        waiters.add(new Waiter("talk", ROUNDS, () -> {
            try (Socket socket = new Socket(here, slow.getLocalPort())) {
                return "read " + socket.getInputStream().read() + " " + socket.getInputStream().read();
            }
        }));
    }

    private static void serveSlowly(ServerSocket slow) {
        try {
            while (true) {
                try (Socket socket = slow.accept()) {
                    Run.sleepMillis(MILLIS);
                    socket.getOutputStream().write(42);
                }
            }
        } catch (IOException e) {
            System.out.println("accept without a timeout: " + e);
        }
    }

    private static final class Waiter implements Runnable {
        final String name;
        final int rounds;
        final Wait wait;
        final StringBuilder outcome = new StringBuilder();
        long shortest = Long.MAX_VALUE;
        long longest;

        Waiter(String name, int rounds, Wait wait) {
            this.name = name;
            this.rounds = rounds;
            this.wait = wait;
        }

        @Override
        public void run() {
            for (int i = 0; i < rounds; i++) {
                Work.forNanos(WORK_NANOS);
                long began = System.nanoTime();
                String came;
                try {
                    came = wait.once();
                } catch (SocketTimeoutException e) {
                    came = "timed out";
                } catch (Exception e) {
                    came = e.toString();
                }
                long took = System.nanoTime() - began;
                shortest = Math.min(shortest, took);
                longest = Math.max(longest, took);
                outcome.append(name).append(": ").append(came).append('\n');
            }
        }
    }
}
