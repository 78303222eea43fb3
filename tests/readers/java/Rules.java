import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.openjdk.jmc.common.item.IItemCollection;
import org.openjdk.jmc.flightrecorder.rules.IResult;
import org.openjdk.jmc.flightrecorder.rules.IRule;
import org.openjdk.jmc.flightrecorder.rules.RuleRegistry;
import org.openjdk.jmc.flightrecorder.rules.util.RulesToolkit;

/** Runs JDK Mission Control's automated analysis over a recording. */
final class Rules {
    private Rules() {}

    /** The rules that end in an exception, each with it. */
    static List<String> failures(IItemCollection items) throws InterruptedException {
        List<String> failures = new ArrayList<>();
        Map<IRule, Future<IResult>> results =
                RulesToolkit.evaluateParallel(RuleRegistry.getRules(), items, null, 1);
        if (results.isEmpty()) {
            failures.add("there are no rules");
        }
        for (Map.Entry<IRule, Future<IResult>> result : results.entrySet()) {
            try {
                result.getValue().get();
            } catch (ExecutionException e) {
                failures.add("rule " + result.getKey().getId() + ": " + Readers.trace(e.getCause()));
            }
        }
        return failures;
    }
}
