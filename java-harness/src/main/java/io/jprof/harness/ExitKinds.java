package io.jprof.harness;

/**
 * Works, then ends in one of the ways a JVM ends.
 *
 * <p>{@code ExitKinds [SECONDS=2] [KIND=return]}, KIND being {@code return}; {@code daemon} (returns while a daemon
 * thread works on); {@code exit} (status 3); {@code halt} (status 4, no shutdown hooks); {@code uncaught} (an exception
 * leaves main: status 1); {@code wait} (prints {@code waiting=true} and works on until a signal comes, at most a minute).
 * Prints {@code hook=ran} where shutdown hooks run.
 */
public final class ExitKinds {
    private static final long LONGEST_WAIT_NANOS = 60_000_000_000L;

    private ExitKinds() {}

    public static void main(String[] args) {
        Run.begin(args, 2);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> Truth.print("hook", "ran"), "hook"));
        while (Run.goesOn()) {
            Work.piece();
        }
        Run.end();
        String kind = args.length > 1 ? args[1] : "return";
        switch (kind) {
            case "return":
                break;
            case "daemon":
                Thread daemon = new Thread(() -> Work.forNanos(LONGEST_WAIT_NANOS), "daemon");
                daemon.setDaemon(true);
                daemon.start();
                break;
            case "exit":
                System.exit(3);
                break;
            case "halt":
                Runtime.getRuntime().halt(4);
                break;
            case "uncaught":
                throw new IllegalStateException("uncaught on purpose");
            case "wait":
                Truth.print("waiting", true);
                Work.forNanos(LONGEST_WAIT_NANOS);
                break;
            default:
                System.err.println("no such kind: " + kind);
                System.exit(2);
        }
    }
}
