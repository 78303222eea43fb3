import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.openjdk.jmc.common.item.IItemCollection;
import org.openjdk.jmc.flightrecorder.rules.IResult;
import org.openjdk.jmc.flightrecorder.rules.IRule;
import org.openjdk.jmc.flightrecorder.rules.RuleRegistry;
import org.openjdk.jmc.flightrecorder.rules.Severity;
import org.openjdk.jmc.flightrecorder.rules.util.RulesToolkit;

/** Runs JDK Mission Control's automated analysis over a recording. */
final class Rules {
    /** Rules whose events every recording of ours in the jdk dialect has. */
    private static final Set<String> OF_OUR_EVENTS = Set.of(
            "MethodProfiling", "FewSampledThreads", "CompareCpu", "PasswordsInSystemProperties", "DebugNonSafepoints",
            "OverAggressiveRecordingSetting");

    private Rules() {}

    /** Notes the rules that end in an exception; in a run of ours also those that do not find their events. */
    static void check(String kind, IItemCollection items, List<String> failures) throws InterruptedException {
        Set<String> unanswered = new TreeSet<>(kind.equals("run") ? OF_OUR_EVENTS : Set.of());
        Map<IRule, Future<IResult>> results =
                RulesToolkit.evaluateParallel(RuleRegistry.getRules(), items, null, 1);
        if (results.isEmpty()) {
            failures.add("there are no rules");
        }
        for (Map.Entry<IRule, Future<IResult>> result : results.entrySet()) {
            try {
                if (result.getValue().get().getSeverity() != Severity.NA) {
                    unanswered.remove(result.getKey().getId());
                }
            } catch (ExecutionException e) {
                failures.add("rule " + result.getKey().getId() + ": " + Readers.trace(e.getCause()));
            }
        }
        if (!unanswered.isEmpty()) {
            failures.add("rules without an answer: " + unanswered);
        }
    }
}
