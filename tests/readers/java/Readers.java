import java.io.BufferedWriter;
import java.io.File;
import java.io.IOException;
import java.io.PrintStream;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.openjdk.jmc.common.item.IItemCollection;

/**
 * Reads recordings with JDK Mission Control and with async-profiler's converter: {@code Readers FOLDER RECORDING…}. Of
 * the nth recording it writes {@code n.jsonl}, the events, {@code n.collapsed}, the converter's stacks, and {@code
 * n.failures}, what failed, a line each. RECORDING is {@code sample=FILE} for the writer's sample, {@code run=FILE} for
 * one of the mix under the agent, both in the jdk dialect, and else a file.
 */
public final class Readers {
    private Readers() {}

    public static void main(String[] args) throws IOException {
        if (args.length < 2) {
            System.err.println("usage: Readers FOLDER RECORDING…");
            System.exit(2);
        }
        for (int i = 1; i < args.length; i++) {
            List<String> failures = new ArrayList<>();
            String[] kindAndFile = args[i].contains("=") ? args[i].split("=", 2) : new String[] {"", args[i]};
            read(kindAndFile[0], new File(kindAndFile[1]), args[0] + "/" + i, failures);
            Files.write(Path.of(args[0], i + ".failures"), failures);
        }
    }

    private static void read(String kind, File recording, String output, List<String> failures) {
        try (Writer out = writer(output + ".jsonl")) {
            IItemCollection items = MissionControl.read(recording, out);
            Pages.check(kind, items, failures);
            Rules.check(kind, items, failures);
        } catch (Exception | LinkageError e) {
            failures.add("Mission Control: " + trace(e));
        }
        if (!kind.isEmpty()) {
            Converter.convert(recording, output, failures);
        }
    }

    private static BufferedWriter writer(String path) throws IOException {
        return Files.newBufferedWriter(Path.of(path), StandardCharsets.UTF_8);
    }

    /** An exception and where it was thrown, in a line. */
    static String trace(Throwable thrown) {
        StringBuilder text = new StringBuilder(thrown.toString());
        StackTraceElement[] trace = thrown.getStackTrace();
        for (int i = 0; i < Math.min(4, trace.length); i++) {
            text.append(" at ").append(trace[i]);
        }
        return text.toString().replace('\n', ' ');
    }
}
