"""What a sample costs the thread, all told: a fixed amount of arithmetic with and without samples at 1 ms."""

from statistics import median

from jvm import Variant
from report import Row
from stats import whole_range
from steered import take_turns

SECTION = "Cost of a sample to its thread, at 1 ms"
INTERVAL_NANOS = 1_000_000
DEPTHS = (20, 200, 1_000)
GOAL_OF_ASYNC_PROFILER = 0.85


def measure(lab):
    rows = []
    for jdk, sets in ((17, 1 if lab.quick else 5), (8, 0 if lab.quick else 1)):
        if sets and not lab.has_jdk(jdk):
            lab.skip(f"cost of a sample on JDK {jdk}: the JDK is not there")
        elif sets:
            rows += on_jdk(lab, jdk, sets)
    return rows


def on_jdk(lab, jdk, sets):
    """The cost per set of JVMs is the median of its pairs of windows; the table shows the sets' median and range."""
    depths = DEPTHS[:1] if lab.quick else DEPTHS
    costs = {}
    for _ in range(sets):
        found = one_set(lab, jdk, depths)
        for key, cost in found.items():
            costs.setdefault(key, []).append(cost)
        for depth in depths:
            if ("async-profiler", depth) in found:
                ratio = found["jprof", depth] / found["async-profiler", depth]
                costs.setdefault(("ratio", depth), []).append(ratio)

    def of(name, depth):
        return whole_range(costs[name, depth]) if (name, depth) in costs else None

    rows = []
    for depth in depths:
        what = f"µs at depth {depth}, JDK {jdk}"
        rows.append(Row(SECTION, what, of("jprof", depth), of("async-profiler", depth), nothing=of("none again", depth)))
        if of("ratio", depth):
            what = f"of async-profiler's at depth {depth}, JDK {jdk}"
            goal = GOAL_OF_ASYNC_PROFILER if depth == DEPTHS[0] else None
            rows.append(Row(SECTION, what, of("ratio", depth), goal=goal, digits=2))
    return rows


def one_set(lab, jdk, depths):
    """Microseconds per sample by variant and depth."""
    profilers = [
        Variant("none again"),
        lab.jprof("jprof", "url=none,dialect=datakit,period=1h,interval=1ms"),
        *lab.async_profilers("async-profiler", "interval=1ms"),
    ]
    variants = [Variant("none"), *profilers] * len(depths)
    orders = [("spin", depth) for depth in depths for _ in range(1 + len(profilers))]
    jvms = take_turns(
        lab,
        "sample_cost",
        jdk,
        variants,
        orders,
        threads=1,
        windows=6 if lab.quick else 12,
        window_seconds=0.15,
    )
    costs = {}
    for jvm, (_, depth) in zip(jvms, orders):
        if jvm.variant.name == "none":
            none = jvm
            continue
        pairs = zip(none.windows, jvm.windows)
        added = median(window.thread_cpu_nanos - bare.thread_cpu_nanos for bare, window in pairs)
        window_nanos = median(window.thread_cpu_nanos for window in jvm.windows)
        samples = window_nanos / INTERVAL_NANOS * samples_per_interval(lab, jvm)
        costs[jvm.variant.name, depth] = added / samples / 1_000
    return costs


def samples_per_interval(lab, jvm):
    """How many samples the worker got for each interval of its CPU time."""
    if not jvm.variant.agent:
        return 1
    stacks = list(lab.collapsed(jvm.folder))
    intervals = sum(count for stack, count in stacks if stack.startswith("[worker-0"))
    if jvm.variant.name == "jprof":
        # A stack of jprof's counts the intervals that it stands for, not the ticks.
        intervals *= lab.counters(jvm.folder)["samples_taken"] / sum(count for _, count in stacks)
    return intervals / (jvm.thread_cpu_nanos / INTERVAL_NANOS)
