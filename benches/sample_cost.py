"""What a sample costs the thread, all told: a fixed amount of arithmetic with and without samples at 1 ms.

Both profilers sample by perf events here, which can be switched off and on from outside. So each JVM is compared with
itself, window by window, and nothing but the samples differs."""

import subprocess
from statistics import median

from perf_switch import PerfSwitch
from report import Row
from stats import whole_range
from steered import WARM_UP_WINDOWS, SteeredJvm, settle_units

SECTION = "Cost of a sample to its thread, at 1 ms"
INTERVAL_NANOS = 1_000_000
DEPTHS = (20, 200, 1_000)
WINDOW_SECONDS = 0.15
GOAL_OF_ASYNC_PROFILER = 0.85


def measure(lab):
    if lab.quick:
        plan = {17: {20: 1}}
    else:
        plan = {17: {20: 5, 200: 2, 1_000: 2}, 8: {20: 2}}
    rows = []
    for jdk, depths in plan.items():
        if not lab.has_jdk(jdk):
            lab.skip(f"cost of a sample on JDK {jdk}: the JDK is not there")
            continue
        try:
            for depth, sets in depths.items():
                rows += at_depth(lab, jdk, depth, sets)
        except OSError as error:
            lab.skip(f"cost of a sample on JDK {jdk}: perf events cannot be switched from outside: {error}")
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
        goal = GOAL_OF_ASYNC_PROFILER if depth == DEPTHS[0] else None
        rows.append(
            Row(SECTION, f"of async-profiler's at depth {depth:,}, JDK {jdk}", of("ratio"), goal=goal, digits=2)
        )
    return rows


def one_set(lab, jdk, depth):
    """Microseconds per sample by profiler."""
    variants = [
        lab.jprof("jprof", "url=none,dialect=datakit,event=cpu-clock,period=1h,interval=1ms"),
        *lab.async_profilers("async-profiler", "interval=1ms"),
    ]
    order = ("spin", depth)
    jvms = [SwitchedJvm(lab, jdk, variant, order) for variant in variants]
    units = settle_units(jvms[0], order, 1, WINDOW_SECONDS)
    for jvm in jvms:
        jvm.warm_up(units)
    for turn in range(6 if lab.quick else 16):
        for jvm in jvms if turn % 2 else reversed(jvms):
            jvm.pair(units, sampled_first=turn % 2 == 0)
    costs = {}
    for jvm in jvms:
        samples_per_nano = jvm.end()
        costs[jvm.variant.name] = median(
            (sampled - bare) / (sampled * samples_per_nano) / 1_000 for sampled, bare in jvm.pairs
        )
        lab.note(
            "sample_cost",
            jdk=jdk,
            variant=jvm.variant.name,
            depth=depth,
            microseconds=costs[jvm.variant.name],
            samples_per_interval=samples_per_nano * INTERVAL_NANOS,
            pairs=jvm.pairs,
        )
    return costs


class SwitchedJvm(SteeredJvm):
    """A JVM under a profiler whose samples can be switched off."""

    def __init__(self, lab, jdk, variant, order):
        super().__init__(lab, jdk, variant, threads=1)
        self.pairs = []
        self._lab = lab
        self._order = order
        self._unsampled_nanos = 0
        self.turn(*order, 1)  # the worker is there now, with its event
        self._switch = PerfSwitch(self.pid)

    def warm_up(self, units):
        for _ in range(WARM_UP_WINDOWS):
            self.turn(*self._order, units)

    def pair(self, units, sampled_first):
        """CPU time of the same work with and without samples."""
        cpu = {}
        for on in (sampled_first, not sampled_first):
            self._switch.set(on)
            _, cpu[on] = self.turn(*self._order, units)
        self._switch.set(True)
        self._unsampled_nanos += cpu[False]
        self.pairs.append((cpu[True], cpu[False]))

    def end(self):
        """Ends the JVM; gives the samples that the worker got per nanosecond while they were on."""
        self._switch.close()
        super().end()
        return self._samples() / (self.thread_cpu_nanos - self._unsampled_nanos)

    def _samples(self):
        """The worker's events, by the JDK's own tool."""
        tool = self._lab.jdks / "jdk17" / "bin" / "jfr"
        words = [tool, "print", "--events", "ExecutionSample", "--stack-depth", "1", self.folder / "recording.jfr"]
        text = subprocess.run(words, check=True, capture_output=True, text=True).stdout
        # CPU time that got no samples while they were off is told by events of one frame.
        return sum('"worker-0"' in event and "[unsampled]" not in event for event in text.split("\n}\n"))
