"""What a sample costs the thread, all told: a fixed amount of arithmetic with and without samples at 1 ms.

Both profilers sample by perf events here, which can be switched off and on from outside. So each JVM is compared with
itself, window by window, and nothing but the samples differs."""

import subprocess
from statistics import median

from report import Row
from stats import whole_range
from steered import SteeredJvm

SECTION = "Cost of a sample to its thread, at 1 ms"
INTERVAL_NANOS = 1_000_000
SHALLOW = 20
WINDOW_SECONDS = 0.15
GOAL_OF_ASYNC_PROFILER = 0.75


def measure(lab):
    if lab.quick:
        plan = {17: {SHALLOW: 1}}
    else:
        plan = {17: {SHALLOW: 5, 200: 2, 1_000: 2}, 8: {SHALLOW: 2}}
    rows = []
    for jdk, depths in plan.items():
        if not lab.has_jdk(jdk):
            lab.skip(f"cost of a sample on JDK {jdk}: the JDK is not there")
            continue
        try:
            for depth, sets in depths.items():
                rows += at_depth(lab, jdk, depth, sets)
        except OSError as error:
            lab.skip(f"cost of a sample on JDK {jdk}: samples cannot be switched off: {error}")
    return rows


def at_depth(lab, jdk, depth, sets):
    """The cost in a set of JVMs is the median of its pairs of windows; the table shows the sets' median and range."""
    costs = {}
    for _ in range(sets):
        found = one_set(lab, jdk, depth)
        if "async-profiler" in found:
            found["ratio"] = found["jprof"] / found["async-profiler"]
        for name, cost in found.items():
            costs.setdefault(name, []).append(cost)

    def of(name):
        return whole_range(costs[name]) if name in costs else None

    rows = [Row(SECTION, f"µs at depth {depth:,}, JDK {jdk}", of("jprof"), of("async-profiler"))]
    if of("ratio"):
        what = f"of async-profiler's at depth {depth:,}, JDK {jdk}"
        rows.append(Row(SECTION, what, of("ratio"), goal=GOAL_OF_ASYNC_PROFILER, digits=2))
    return rows


def one_set(lab, jdk, depth):
    """Microseconds per sample by profiler."""
    variants = [
        lab.jprof("jprof", "url=none,dialect=datakit,event=cpu-clock,period=1h,interval=1ms"),
        *lab.async_profilers("async-profiler", "interval=1ms"),
    ]
    order = ("spin", depth)
    jvms = [SteeredJvm(lab, jdk, variant, threads=1) for variant in variants]
    for jvm in jvms:
        jvm.make_switchable()
    units = jvms[0].settle_units(order, WINDOW_SECONDS)
    for jvm in jvms:
        jvm.warm_up(order, units)
    pairs = {jvm: [] for jvm in jvms}
    for turn in range(6 if lab.quick else 16):
        for jvm in jvms if turn % 2 else reversed(jvms):
            cpu = {}
            for sampled in (turn % 4 < 2, turn % 4 >= 2):
                cpu[sampled] = jvm.turn(order, units, sampled).thread_cpu_nanos
            pairs[jvm].append((cpu[True], cpu[False]))
    costs = {}
    for jvm in jvms:
        jvm.end()
        samples = samples_of_worker(lab, jvm) / jvm.sampled_cpu_nanos
        cost = median((sampled - bare) / (sampled * samples) / 1_000 for sampled, bare in pairs[jvm])
        costs[jvm.variant.name] = cost
        lab.note(
            "sample_cost",
            jdk=jdk,
            variant=jvm.variant.name,
            depth=depth,
            microseconds=cost,
            samples_per_interval=samples * INTERVAL_NANOS,
            pairs=pairs[jvm],
        )
    return costs


def samples_of_worker(lab, jvm):
    """The worker's events, by the JDK's own tool."""
    tool = lab.jdks / "jdk17" / "bin" / "jfr"
    words = [tool, "print", "--events", "ExecutionSample", "--stack-depth", "1", jvm.folder / "recording.jfr"]
    text = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    # CPU time that got no samples while they were off is told by events of one frame.
    return sum('"worker-0"' in event and "[unsampled]" not in event for event in text.split("\n}\n"))
