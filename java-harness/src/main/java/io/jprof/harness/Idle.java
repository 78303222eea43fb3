package io.jprof.harness;

/** A program that does nothing: {@code Idle [SECONDS=5]}. */
public final class Idle {
    private Idle() {}

    public static void main(String[] args) {
        Run.begin(args, 5);
        while (Run.goesOn()) {
            Run.sleepMillis(50);
        }
        Run.end();
    }
}
