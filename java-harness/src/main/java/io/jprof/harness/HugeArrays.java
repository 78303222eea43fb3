package io.jprof.harness;

/**
 * Arrays of many bytes, one after the other; each second one is kept.
 *
 * <p>{@code HugeArrays [MIB=16] [COUNT=4]}; then all is collected. Prints {@code array.bytes}, those of one array.
 */
public final class HugeArrays {
    private static final int HEADER_BYTES = 16;

    private static Object[] kept;

    private HugeArrays() {}

    public static void main(String[] args) {
        Run.begin(new String[0], 0);
        int longs = Run.intArgument(args, 0, 16) << 17;
        int count = Run.intArgument(args, 1, 4);
        kept = new Object[count];
        for (int i = 0; i < count; i++) {
            kept[i] = array(longs);
            if (i % 2 == 1) {
                kept[i] = null;
            }
        }
        System.gc();
        Truth.print("array.bytes", HEADER_BYTES + longs * 8L);
        Run.end();
    }

    private static Object array(int longs) {
        return new long[longs];
    }
}
