package io.jprof.harness;

import java.io.BufferedReader;
import java.io.InputStreamReader;

/**
 * A program that starts child processes while it works.
 *
 * <p>{@code Forker [SECONDS=5]}; every child must answer as it should. Prints {@code children}.
 */
public final class Forker {
    private Forker() {}

    public static void main(String[] args) throws Exception {
        Run.begin(args, 5);
        Thread worker = new Thread(Forker::work, "worker");
        worker.start();
        int children = 0;
        while (Run.goesOn()) {
            String said = "child " + children;
            Process child = new ProcessBuilder("/bin/sh", "-c", "echo \"$0\"; exit 7", said)
                    .redirectErrorStream(true)
                    .start();
            try (BufferedReader output = new BufferedReader(new InputStreamReader(child.getInputStream()))) {
                String line = output.readLine();
                if (!said.equals(line) || output.readLine() != null) {
                    throw new IllegalStateException("child said " + line + " in place of " + said);
                }
            }
            int status = child.waitFor();
            if (status != 7) {
                throw new IllegalStateException("child ended with " + status + " in place of 7");
            }
            children++;
        }
        Run.join(worker);
        Truth.print("children", children);
        Run.end();
    }

    private static void work() {
        while (Run.goesOn()) {
            Work.piece();
        }
    }
}
