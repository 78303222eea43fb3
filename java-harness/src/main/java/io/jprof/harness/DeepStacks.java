package io.jprof.harness;

/**
 * A thread that works at the bottom of a deep recursion.
 *
 * <p>{@code DeepStacks [SECONDS=5] [DEPTH=1000]}; the thread {@code deep} has {@code truth descend_frames} frames of
 * {@code descend} below {@code Thread.run} and gets {@code truth pieces} of work done.
 */
public final class DeepStacks {
    /** What an interpreted frame of {@code descend} takes, with room to spare. */
    private static final long STACK_BYTES_PER_FRAME = 512;

    private DeepStacks() {}

    public static void main(String[] args) {
        Run.begin(args, 5);
        int depth = Run.intArgument(args, 1, 1000);
        Truth.print("descend_frames", depth);
        Thread deep = new Thread(null, () -> {
            descend(depth - 1);
            ThreadClock.print();
        }, "deep", (1 << 20) + depth * STACK_BYTES_PER_FRAME);
        deep.start();
        Run.join(deep);
        Run.end();
    }

    private static void descend(int left) {
        if (left > 0) {
            descend(left - 1);
        } else {
            workAtTheBottom();
        }
    }

    private static void workAtTheBottom() {
        long pieces = 0;
        while (Run.goesOn()) {
            Work.piece();
            pieces++;
        }
        Truth.print("pieces", pieces);
    }
}
