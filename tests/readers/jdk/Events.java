import java.io.BufferedWriter;
import java.io.FileOutputStream;
import java.io.FileDescriptor;
import java.io.IOException;
import java.io.OutputStreamWriter;
import java.lang.reflect.Array;
import java.nio.charset.StandardCharsets;
import java.nio.file.Paths;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import jdk.jfr.Timespan;
import jdk.jfr.Timestamp;
import jdk.jfr.ValueDescriptor;
import jdk.jfr.consumer.RecordedClass;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordedFrame;
import jdk.jfr.consumer.RecordedMethod;
import jdk.jfr.consumer.RecordedObject;
import jdk.jfr.consumer.RecordedStackTrace;
import jdk.jfr.consumer.RecordedThread;
import jdk.jfr.consumer.RecordingFile;

/**
 * Reads a recording with the JDK's own reader and prints one JSON object per event, in file order: {@code Events FILE}.
 * The shape stands in ../README.md. For JDK 11 and newer.
 */
public final class Events {
    private Events() {}

    public static void main(String[] args) throws IOException {
        if (args.length != 1) {
            System.err.println("usage: Events FILE");
            System.exit(2);
        }
        try (RecordingFile recording = new RecordingFile(Paths.get(args[0]));
                BufferedWriter out = new BufferedWriter(
                        new OutputStreamWriter(new FileOutputStream(FileDescriptor.out), StandardCharsets.UTF_8))) {
            StringBuilder line = new StringBuilder();
            while (recording.hasMoreEvents()) {
                line.setLength(0);
                Json.write(line, canonicalEvent(recording.readEvent()));
                out.append(line).append('\n');
            }
        }
    }

    private static Map<String, Object> canonicalEvent(RecordedEvent event) {
        Map<String, Object> fields = new TreeMap<>();
        for (ValueDescriptor field : event.getFields()) {
            if (!field.getName().equals("startTime")) {
                fields.put(field.getName(), canonicalField(event, field));
            }
        }
        Map<String, Object> result = new TreeMap<>();
        result.put("type", event.getEventType().getName());
        result.put("startTime", nanos(event.getStartTime()));
        result.put("fields", fields);
        return result;
    }

    private static Object canonicalField(RecordedObject object, ValueDescriptor field) {
        if (field.getTypeName().equals("long") && !field.isArray()) {
            if (field.getAnnotation(Timestamp.class) != null) {
                return Map.of("nanos", nanos(object.getInstant(field.getName())));
            }
            if (field.getAnnotation(Timespan.class) != null) {
                return Map.of("nanos", nanos(object.getDuration(field.getName())));
            }
        }
        return canonicalValue(object.getValue(field.getName()));
    }

    private static long nanos(Instant instant) {
        return nanos(instant.getEpochSecond(), instant.getNano());
    }

    private static long nanos(Duration duration) {
        return nanos(duration.getSeconds(), duration.getNano());
    }

    /** Nanoseconds, cut to the range of a long: the reader gives the extremes of a raw value as extremes. */
    private static long nanos(long seconds, int nanos) {
        try {
            return Math.addExact(Math.multiplyExact(seconds, 1_000_000_000L), nanos);
        } catch (ArithmeticException e) {
            return seconds < 0 ? Long.MIN_VALUE : Long.MAX_VALUE;
        }
    }

    private static Object canonicalValue(Object value) {
        if (value == null || value instanceof String || value instanceof Boolean) {
            return value;
        }
        if (value instanceof Character) {
            return (long) (Character) value;
        }
        if (value instanceof Float || value instanceof Double) {
            return ((Number) value).doubleValue();
        }
        if (value instanceof Number) {
            return ((Number) value).longValue();
        }
        if (value instanceof RecordedThread) {
            return thread((RecordedThread) value);
        }
        if (value instanceof RecordedClass) {
            return className((RecordedClass) value);
        }
        if (value instanceof RecordedStackTrace) {
            return stackTrace((RecordedStackTrace) value);
        }
        if (value.getClass().isArray()) {
            List<Object> elements = new ArrayList<>();
            for (int i = 0; i < Array.getLength(value); i++) {
                elements.add(canonicalValue(Array.get(value, i)));
            }
            return elements;
        }
        if (value instanceof RecordedObject) {
            return struct((RecordedObject) value);
        }
        throw new IllegalStateException("no canonical form for " + value.getClass());
    }

    private static Map<String, Object> thread(RecordedThread thread) {
        Map<String, Object> result = new TreeMap<>();
        for (String name : new String[] {"osName", "osThreadId", "javaName", "javaThreadId"}) {
            result.put(name, canonicalValue(thread.getValue(name)));
        }
        RecordedObject group = thread.hasField("group") ? thread.getValue("group") : null;
        result.put("group", group == null ? null : group.getValue("name"));
        return result;
    }

    private static String className(RecordedClass type) {
        return type == null || type.getValue("name") == null ? null : type.getName().replace('/', '.');
    }

    private static Map<String, Object> stackTrace(RecordedStackTrace trace) {
        List<Object> frames = new ArrayList<>();
        for (RecordedFrame frame : trace.getFrames()) {
            RecordedMethod method = frame.getValue("method");
            String name = "?";
            if (method != null) {
                name = orUnknown(className(method.getValue("type"))) + "." + orUnknown(method.getValue("name"))
                        + orUnknown(method.getValue("descriptor"));
            }
            frames.add(name + ":" + frame.getInt("lineNumber") + ":" + frame.getInt("bytecodeIndex") + ":"
                    + orUnknown(frame.getValue("type")));
        }
        Map<String, Object> result = new TreeMap<>();
        result.put("truncated", trace.getBoolean("truncated"));
        result.put("frames", frames);
        return result;
    }

    private static String orUnknown(String text) {
        return text == null ? "?" : text;
    }

    /** A struct with one text is that text. */
    private static Object struct(RecordedObject object) {
        List<ValueDescriptor> fields = object.getFields();
        if (fields.size() == 1) {
            Object only = object.getValue(fields.get(0).getName());
            if (only instanceof String) {
                return only;
            }
        }
        Map<String, Object> result = new TreeMap<>();
        for (ValueDescriptor field : fields) {
            result.put(field.getName(), canonicalField(object, field));
        }
        return result;
    }
}
