import java.io.File;
import java.io.IOException;
import java.io.Writer;
import java.lang.reflect.Field;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.openjdk.jmc.common.IMCFrame;
import org.openjdk.jmc.common.IMCMethod;
import org.openjdk.jmc.common.IMCStackTrace;
import org.openjdk.jmc.common.IMCThread;
import org.openjdk.jmc.common.IMCType;
import org.openjdk.jmc.common.item.IItemCollection;
import org.openjdk.jmc.common.unit.ContentType;
import org.openjdk.jmc.common.unit.IQuantity;
import org.openjdk.jmc.common.unit.LinearUnit;
import org.openjdk.jmc.common.unit.StructContentType;
import org.openjdk.jmc.common.unit.UnitLookup;
import org.openjdk.jmc.common.util.LabeledIdentifier;
import org.openjdk.jmc.flightrecorder.CouldNotLoadRecordingException;
import org.openjdk.jmc.flightrecorder.JfrLoaderToolkit;
import org.openjdk.jmc.flightrecorder.parser.IEventSink;
import org.openjdk.jmc.flightrecorder.parser.IEventSinkFactory;
import org.openjdk.jmc.flightrecorder.parser.IParserExtension;
import org.openjdk.jmc.flightrecorder.parser.ParserExtensionRegistry;
import org.openjdk.jmc.flightrecorder.parser.ValueField;

/**
 * Reads a recording with JDK Mission Control's parser and prints one JSON object per event, in file order, in the shape
 * of ../README.md. What this parser keeps of a value in a form of its own is {@code {"known": type}}.
 */
final class MissionControl implements IParserExtension {
    /** Chunks are read one after the other, so that events come in file order. */
    static final String IN_FILE_ORDER = "org.openjdk.jmc.flightrecorder.parser.singlethreaded";

    private final Writer out;
    private final StringBuilder line = new StringBuilder();
    private IOException failure;

    private MissionControl(Writer out) {
        this.out = out;
    }

    /** Prints the events, and gives what the program's pages work on. */
    static IItemCollection read(File recording, Writer out) throws IOException, CouldNotLoadRecordingException {
        System.setProperty(IN_FILE_ORDER, "true");
        MissionControl printer = new MissionControl(out);
        List<IParserExtension> extensions = new ArrayList<>();
        extensions.add(printer);
        extensions.addAll(ParserExtensionRegistry.getParserExtensions());
        IItemCollection items = JfrLoaderToolkit.loadEvents(List.of(recording), extensions);
        if (printer.failure != null) {
            throw printer.failure;
        }
        return items;
    }

    @Override
    public String getValueInterpretation(String eventTypeId, String fieldId) {
        return null;
    }

    @Override
    public IEventSinkFactory getEventSinkFactory(IEventSinkFactory next) {
        return new IEventSinkFactory() {
            @Override
            public IEventSink create(
                    String type, String label, String[] category, String description, List<ValueField> fields) {
                IEventSink nextSink = next.create(type, label, category, description, fields);
                return values -> {
                    print(type, fields, values);
                    nextSink.addEvent(values);
                };
            }

            @Override
            public void flush() {
                next.flush();
            }
        };
    }

    private void print(String type, List<ValueField> fields, Object[] values) {
        Map<String, Object> event = new TreeMap<>();
        Map<String, Object> printed = new TreeMap<>();
        for (int i = 0; i < values.length; i++) {
            String name = fields.get(i).getIdentifier();
            Object value = canonical(values[i], fields.get(i).getContentType());
            if (name.equals("startTime")) {
                event.put("startTime", value instanceof Map ? ((Map<?, ?>) value).get("nanos") : value);
            } else {
                putField(printed, name, value);
            }
        }
        event.put("type", type);
        event.put("fields", printed);
        line.setLength(0);
        Json.write(line, event);
        try {
            out.append(line).append('\n');
        } catch (IOException e) {
            failure = e;
        }
    }

    /** The fields of a struct that lies in an event come one by one, as {@code struct:field}. */
    @SuppressWarnings("unchecked")
    private static void putField(Map<String, Object> fields, String name, Object value) {
        int colon = name.indexOf(':');
        if (colon < 0) {
            fields.put(name, value);
        } else {
            Object struct = fields.computeIfAbsent(name.substring(0, colon), key -> new TreeMap<String, Object>());
            putField((Map<String, Object>) struct, name.substring(colon + 1), value);
        }
    }

    private static Object canonical(Object value, ContentType<?> type) {
        if (value == null || value instanceof String || value instanceof Boolean) {
            return value;
        }
        if (value instanceof IQuantity) {
            return quantity((IQuantity) value);
        }
        if (value instanceof LabeledIdentifier) {
            return ((LabeledIdentifier) value).getImplementationId();
        }
        if (value instanceof IMCThread) {
            return thread((IMCThread) value);
        }
        if (value instanceof IMCStackTrace) {
            return stackTrace((IMCStackTrace) value);
        }
        if (value instanceof IMCType) {
            return className((IMCType) value);
        }
        if (value instanceof Object[] && !(type instanceof StructContentType)) {
            List<Object> elements = new ArrayList<>();
            for (Object element : (Object[]) value) {
                elements.add(canonical(element, UnitLookup.UNKNOWN));
            }
            return elements;
        }
        return Map.of("known", value.getClass().getSimpleName());
    }

    private static Object quantity(IQuantity quantity) {
        Number number = quantity.numberValue();
        if (quantity.getType() == UnitLookup.TIMESTAMP) {
            return Map.of("nanos", nanos(quantity, UnitLookup.EPOCH_NS));
        }
        if (quantity.getType() == UnitLookup.TIMESPAN) {
            return Map.of("nanos", nanos(quantity, UnitLookup.NANOSECOND));
        }
        return number instanceof Float || number instanceof Double ? number.doubleValue() : number.longValue();
    }

    /** The extremes of a raw value mean "none" or "for ever" and stay what they are. */
    private static long nanos(IQuantity quantity, org.openjdk.jmc.common.unit.IUnit unit) {
        long raw = quantity.numberValue().longValue();
        return raw == Long.MIN_VALUE || raw == Long.MAX_VALUE ? raw : quantity.clampedLongValueIn(unit);
    }

    private static Map<String, Object> thread(IMCThread thread) {
        Map<String, Object> result = new TreeMap<>();
        for (String name : new String[] {"osName", "osThreadId", "javaName", "javaThreadId"}) {
            result.put(name, canonical(hidden(thread, name), UnitLookup.UNKNOWN));
        }
        result.put("group", thread.getThreadGroup() == null ? null : thread.getThreadGroup().getName());
        return result;
    }

    /** A value that the parser reads and that its interfaces do not tell. */
    private static Object hidden(Object value, String name) {
        try {
            Field field = value.getClass().getField(name);
            field.setAccessible(true);
            return field.get(value);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }

    private static Map<String, Object> stackTrace(IMCStackTrace trace) {
        List<Object> frames = new ArrayList<>();
        for (IMCFrame frame : trace.getFrames()) {
            frames.add(frameName(frame.getMethod()) + ":" + frame.getFrameLineNumber() + ":" + frame.getBCI() + ":"
                    + frameType(frame.getType()));
        }
        Map<String, Object> result = new TreeMap<>();
        result.put("truncated", trace.getTruncationState().isTruncated());
        result.put("frames", frames);
        return result;
    }

    private static String frameName(IMCMethod method) {
        return className(method.getType()) + "." + method.getMethodName() + method.getFormalDescriptor();
    }

    private static String frameType(IMCFrame.Type type) {
        if (type == IMCFrame.Type.INTERPRETED) {
            return "Interpreted";
        }
        if (type == IMCFrame.Type.JIT_COMPILED) {
            return "JIT compiled";
        }
        if (type == IMCFrame.Type.INLINED) {
            return "Inlined";
        }
        if (type == IMCFrame.Type.NATIVE) {
            return "Native";
        }
        if (type == IMCFrame.Type.CPP) {
            return "C++";
        }
        if (type == IMCFrame.Type.KERNEL) {
            return "Kernel";
        }
        // A type that it does not know, in capitals.
        return type.toString().equals("C1 COMPILED") ? "C1 compiled" : type.toString();
    }

    /** As it stands in the file, with dots: the parser turns names of arrays into those of the language. */
    private static String className(IMCType type) {
        String name = type.getFullName();
        int dimensions = 0;
        while (name != null && name.endsWith("[]")) {
            name = name.substring(0, name.length() - 2);
            dimensions++;
        }
        return dimensions == 0 ? name : "[".repeat(dimensions) + elementDescriptor(name);
    }

    private static String elementDescriptor(String name) {
        switch (name) {
            case "boolean":
                return "Z";
            case "byte":
                return "B";
            case "char":
                return "C";
            case "short":
                return "S";
            case "int":
                return "I";
            case "long":
                return "J";
            case "float":
                return "F";
            case "double":
                return "D";
            default:
                return "L" + name + ";";
        }
    }
}
