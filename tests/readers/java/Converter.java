import java.io.File;
import java.util.List;

/** Runs async-profiler's converter. */
final class Converter {
    /** Every format that it writes, by the end of the file's name. */
    private static final String[] FORMATS = {"collapsed", "html", "heatmap", "pprof", "otlp"};

    private Converter() {}

    /** Converts the recording to {@code output.FORMAT}. */
    static void convert(File recording, String output, List<String> failures) {
        for (String format : FORMATS) {
            File converted = new File(output + "." + format);
            try {
                Main.main(new String[] {"-o", format, recording.getPath(), converted.getPath()});
                if (converted.length() == 0) {
                    failures.add("converter: nothing in " + format);
                }
            } catch (Exception e) {
                failures.add("converter to " + format + ": " + Readers.trace(e));
            }
        }
    }
}
