import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.regex.Pattern;
import org.openjdk.jmc.common.IMCThread;
import org.openjdk.jmc.common.item.Attribute;
import org.openjdk.jmc.common.item.IAttribute;
import org.openjdk.jmc.common.item.IItem;
import org.openjdk.jmc.common.item.IItemCollection;
import org.openjdk.jmc.common.item.IItemFilter;
import org.openjdk.jmc.common.item.IItemIterable;
import org.openjdk.jmc.common.item.IMemberAccessor;
import org.openjdk.jmc.common.item.ItemFilters;
import org.openjdk.jmc.common.unit.IQuantity;
import org.openjdk.jmc.common.unit.UnitLookup;
import org.openjdk.jmc.flightrecorder.JfrAttributes;
import org.openjdk.jmc.flightrecorder.jdk.JdkAttributes;
import org.openjdk.jmc.flightrecorder.jdk.JdkFilters;
import org.openjdk.jmc.flightrecorder.jdk.JdkTypeIDs;
import org.openjdk.jmc.flightrecorder.rules.util.RulesToolkit;

/**
 * Asks a recording of the jdk dialect what JDK Mission Control's pages ask: method profiling, threads, environment,
 * recording. It finds values by an event's name, a field's name, and what kind of quantity that is.
 */
final class Pages {
    private static final IAttribute<String> THREAD_STATE = Attribute.attr("state", "State", UnitLookup.PLAIN_TEXT);
    private static final IItemFilter OS = ItemFilters.type(JdkTypeIDs.OS_INFORMATION);

    private final IItemCollection items;
    private final List<String> failures;

    private Pages(IItemCollection items, List<String> failures) {
        this.items = items;
        this.failures = failures;
    }

    static void check(String kind, IItemCollection items, List<String> failures) {
        Pages pages = new Pages(items, failures);
        switch (kind) {
            case "sample":
                pages.checkSample();
                break;
            case "run":
                pages.checkRun();
                break;
            default:
        }
    }

    /** What jfr-writer's example sample_chunk writes, thrice. */
    private void checkSample() {
        same("threads", counts(JdkFilters.EXECUTION_SAMPLE, JdkAttributes.EVENT_THREAD_NAME), Map.of(
                "main", 3 * 999,
                "pool-1-thread-1 <script>alert(1)</script> 线程", 3 * 499 * 2,
                "C2 CompilerThre", 3 * 99));
        same("thread ids", distinct(JdkFilters.EXECUTION_SAMPLE, JdkAttributes.EVENT_THREAD_ID), "[0, 1, 31]");
        same("thread groups", counts(JdkFilters.EXECUTION_SAMPLE, JdkAttributes.EVENT_THREAD_GROUP_NAME),
                Map.of("main", 3 * 999, "workers", 3 * 499 * 2, "null", 3 * 99));
        same("states", counts(JdkFilters.EXECUTION_SAMPLE, THREAD_STATE),
                Map.of("STATE_RUNNABLE", 3 * (999 + 499 * 2 + 99 - 250), "STATE_SYSCALL", 3 * 250));
        Map<String, Integer> methods = counts(JdkFilters.EXECUTION_SAMPLE, JdkAttributes.STACK_TRACE_TOP_METHOD_STRING);
        same("samples in the kernel: " + methods, methods.get(" .vfs_read(k)"), 3 * 250);
        Map<String, Integer> classes = counts(JdkFilters.EXECUTION_SAMPLE, JdkAttributes.STACK_TRACE_TOP_CLASS_STRING);
        same("samples in HashMap", classes.get("java.util.HashMap"), 3 * 250);
        same("packages", counts(JdkFilters.EXECUTION_SAMPLE, JdkAttributes.STACK_TRACE_TOP_PACKAGE).get("java.util"),
                3 * 250);
        same("truncation", counts(JdkFilters.EXECUTION_SAMPLE, JdkAttributes.STACK_TRACE_TRUNCATED).get("true"),
                3 * 2 * 166);
        same("JVM", distinct(JdkFilters.VM_INFO, JdkAttributes.JVM_NAME), "[OpenJDK 64-Bit Server VM]");
        same("JVM's version", RulesToolkit.getJavaVersion(items).toString(), "17.0.15");
        same("JVM's arguments", distinct(JdkFilters.VM_INFO, JdkAttributes.JVM_ARGUMENTS),
                "[-Xmx256m -agentpath:libjprof.so=service=shop]");
        same("program", distinct(JdkFilters.VM_INFO, JdkAttributes.JAVA_ARGUMENTS), "[com.shop.Main --port 8080]");
        same("process id", distinct(JdkFilters.VM_INFO, JdkAttributes.PID), "[4711]");
        same("JVM's start", millis(JdkFilters.VM_INFO, JdkAttributes.JVM_START_TIME), 1_760_000_000_000L - 5_000);
        same("operating system", distinct(OS, JdkAttributes.OS_VERSION),
                "[Debian GNU/Linux 12 (bookworm), Linux 6.1]");
        same("processor", distinct(JdkFilters.CPU_INFORMATION, JdkAttributes.CPU_TYPE), "[Example x86_64]");
        same("features", distinct(JdkFilters.CPU_INFORMATION, JdkAttributes.CPU_DESCRIPTION), "[sse4_2 avx2]");
        same("sockets", distinct(JdkFilters.CPU_INFORMATION, JdkAttributes.NUMBER_OF_SOCKETS), "[1]");
        same("cores", distinct(JdkFilters.CPU_INFORMATION, JdkAttributes.NUMBER_OF_CORES), "[2]");
        same("hardware threads", distinct(JdkFilters.CPU_INFORMATION, JdkAttributes.HW_THREADS), "[4]");
        same("properties", distinct(JdkFilters.SYSTEM_PROPERTIES, JdkAttributes.ENVIRONMENT_KEY),
                "[java.version, shop.password, user.language]");
        same("their values", distinct(JdkFilters.SYSTEM_PROPERTIES, JdkAttributes.ENVIRONMENT_VALUE),
                "[, ***, 17.0.15]");
        same("load of the JVM", distinct(JdkFilters.CPU_LOAD, JdkAttributes.JVM_TOTAL), "[0.28125]");
        same("load of the rest", distinct(JdkFilters.CPU_LOAD, JdkAttributes.OTHER_CPU), "[0.21875]");
        same("recording", distinct(JdkFilters.RECORDINGS, JdkAttributes.RECORDING_NAME), "[jprof]");
        same("recording's start", millis(JdkFilters.RECORDINGS, JdkAttributes.RECORDING_START), 1_760_000_000_000L);
        same("settings", distinct(JdkFilters.RECORDING_SETTING, JdkAttributes.REC_SETTING_FOR_ID),
                "[jdk.ActiveRecording, jdk.ExecutionSample]");
    }

    /** The mix, under the agent, on this machine. */
    private void checkRun() {
        Map<String, Integer> names = counts(JdkFilters.EXECUTION_SAMPLE, JdkAttributes.EVENT_THREAD_NAME);
        holds("the mix's threads have samples: " + names, names.containsKey("mix-0") && names.containsKey("mix-1"));
        holds("every sample has a thread with a name: " + names, !names.containsKey("null") && !names.containsKey(""));
        for (IMCThread thread : values(JdkFilters.EXECUTION_SAMPLE, JfrAttributes.EVENT_THREAD)) {
            if (thread != null && thread.getThreadName().startsWith("mix-")) {
                holds("a Java thread has its number", thread.getThreadId() > 0);
                holds("a Java thread has its group",
                        thread.getThreadGroup() != null && thread.getThreadGroup().getName().equals("main"));
            }
        }
        List<?> stacks = values(JdkFilters.EXECUTION_SAMPLE, JfrAttributes.EVENT_STACKTRACE);
        holds("every sample has a stack", !stacks.contains(null));
        List<?> methods = values(JdkFilters.EXECUTION_SAMPLE, JdkAttributes.STACK_TRACE_TOP_METHOD);
        holds("every stack has a method", !methods.contains(null));
        Map<String, Integer> classes = counts(JdkFilters.EXECUTION_SAMPLE, JdkAttributes.STACK_TRACE_TOP_CLASS_STRING);
        holds("samples in the program's class: " + classes, classes.containsKey("io.jprof.harness.Mix"));
        Map<String, Integer> states = counts(JdkFilters.EXECUTION_SAMPLE, THREAD_STATE);
        holds("states: " + states, states.containsKey("STATE_RUNNABLE") && !states.containsKey("null"));
        matches("JVM", distinct(JdkFilters.VM_INFO, JdkAttributes.JVM_NAME), "\\[\\S.* VM]");
        holds("the JVM's version can be read", RulesToolkit.getJavaVersion(items) != null);
        matches("JVM's arguments", distinct(JdkFilters.VM_INFO, JdkAttributes.JVM_ARGUMENTS),
                "\\[.*-agentpath:\\S*libjprof\\.so=url=none,\\S*dialect=jdk\\S*]");
        same("program", distinct(JdkFilters.VM_INFO, JdkAttributes.JAVA_ARGUMENTS), "[io.jprof.harness.Mix 3]");
        matches("process id", distinct(JdkFilters.VM_INFO, JdkAttributes.PID), "\\[[1-9][0-9]*]");
        matches("operating system", distinct(OS, JdkAttributes.OS_VERSION), "(?s)\\[.*Linux.*]");
        // A container may allow fewer than there are.
        for (IQuantity threads : values(JdkFilters.CPU_INFORMATION, JdkAttributes.HW_THREADS)) {
            holds("hardware threads: " + threads, threads.longValue() >= Runtime.getRuntime().availableProcessors());
        }
        Map<String, Integer> properties = counts(JdkFilters.SYSTEM_PROPERTIES, JdkAttributes.ENVIRONMENT_KEY);
        holds("properties: " + properties,
                properties.containsKey("java.vm.version") && properties.containsKey("os.name"));
        List<IQuantity> loads = values(JdkFilters.CPU_LOAD, JdkAttributes.JVM_TOTAL);
        holds("load of the JVM", !loads.isEmpty());
        for (IQuantity load : loads) {
            holds("load of the JVM: " + load, load.doubleValue() >= 0 && load.doubleValue() <= 1);
        }
        same("recording", distinct(JdkFilters.RECORDINGS, JdkAttributes.RECORDING_NAME), "[jprof]");
        Map<String, Integer> settings = counts(JdkFilters.RECORDING_SETTING, JdkAttributes.REC_SETTING_FOR_ID);
        holds("settings of known events: " + settings,
                settings.containsKey("jdk.ExecutionSample") && !settings.containsKey("null"));
        same("period", String.valueOf(RulesToolkit.getSettingMaxPeriod(items, JdkTypeIDs.EXECUTION_SAMPLE)
                .clampedLongValueIn(UnitLookup.MILLISECOND)), "10");
    }

    private <T> List<T> values(IItemFilter filter, IAttribute<T> attribute) {
        List<T> values = new ArrayList<>();
        for (IItemIterable ofOneType : items.apply(filter)) {
            IMemberAccessor<T, IItem> accessor = attribute.getAccessor(ofOneType.getType());
            if (accessor == null) {
                failures.add(ofOneType.getType().getIdentifier() + " has no " + attribute.getIdentifier() + " of type "
                        + attribute.getContentType());
                continue;
            }
            for (IItem item : ofOneType) {
                values.add(accessor.getMember(item));
            }
        }
        return values;
    }

    /** How often each value comes, by its text. */
    private <T> Map<String, Integer> counts(IItemFilter filter, IAttribute<T> attribute) {
        Map<String, Integer> counts = new TreeMap<>();
        for (T value : values(filter, attribute)) {
            counts.merge(text(value), 1, Integer::sum);
        }
        return counts;
    }

    private <T> String distinct(IItemFilter filter, IAttribute<T> attribute) {
        return counts(filter, attribute).keySet().toString();
    }

    private static String text(Object value) {
        if (value instanceof IQuantity) {
            return ((IQuantity) value).numberValue().toString();
        }
        return String.valueOf(value);
    }

    private Object millis(IItemFilter filter, IAttribute<IQuantity> attribute) {
        List<IQuantity> times = values(filter, attribute);
        return times.isEmpty() ? null : times.get(0).clampedLongValueIn(UnitLookup.EPOCH_MS);
    }

    private void same(String what, Object found, Object expected) {
        holds(what + ": " + found + ", not " + expected, Objects.equals(found, expected));
    }

    private void matches(String what, String found, String pattern) {
        holds(what + ": " + found + ", not like " + pattern, Pattern.matches(pattern, found));
    }

    private void holds(String what, boolean holds) {
        if (!holds) {
            failures.add("page: " + what.replace('\n', ' '));
        }
    }
}
