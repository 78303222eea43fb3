"""What a walk takes by itself, as each profiler counts it: async-profiler's average time of a walk (features=stats), and
jprof's average time in its handler, which is the walk and all else that it does there (clocks, claiming, storing)."""

import re
import subprocess

from report import Row
from stats import whole_range
from jvm import STEADY, wait

SECTION = "The handler by itself, at 1 ms"
DEPTHS = (20, 200, 1_000)
UNITS = 10_000
GOAL_OF_ASYNC_PROFILER = 0.8


def measure(lab):
    rounds = 1 if lab.quick else 5
    plan = {17: DEPTHS} if lab.quick else {8: DEPTHS[:1], 17: DEPTHS, 25: DEPTHS[:1]}
    rows = []
    for jdk, depths in plan.items():
        if not lab.has_jdk(jdk):
            lab.skip(f"the handler by itself on JDK {jdk}: the JDK is not there")
            continue
        for depth in depths:
            rows += at_depth(lab, jdk, depth, rounds)
    return rows


def at_depth(lab, jdk, depth, rounds):
    own = lab.jprof("jprof", "url=none,dialect=datakit,event=cpu-clock,period=1h,interval=1ms")
    peers = lab.async_profilers("async-profiler", "interval=1ms,features=stats")
    found = {"jprof": [], "async-profiler": [], "ratio": []}
    for _ in range(rounds):
        took = {variant.name: one_run(lab, jdk, variant, depth) for variant in [own, *peers]}
        if "async-profiler" in took:
            took["ratio"] = took["jprof"] / took["async-profiler"]
        for name, value in took.items():
            found[name].append(value)

    def of(name):
        return whole_range(found[name]) if found[name] else None

    rows = [Row(SECTION, f"µs at depth {depth:,}, JDK {jdk}", of("jprof"), of("async-profiler"), digits=2)]
    if of("ratio"):
        what = f"of async-profiler's at depth {depth:,}, JDK {jdk}"
        rows.append(Row(SECTION, what, of("ratio"), goal=GOAL_OF_ASYNC_PROFILER, digits=2))
    return rows


def one_run(lab, jdk, variant, depth):
    """Microseconds."""
    folder = lab.new_run()
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    process = lab.start(jdk, variant, ["io.jprof.benches.Steered", "1"], folder, STEADY, **pipes)
    process.stdin.write(f"spin {depth} {UNITS}\n")
    process.stdin.close()
    said = process.stdout.read()
    wait(process, 0)
    if variant.name == "jprof":
        counters = lab.counters(folder)
        nanos, walks = counters["handler_nanos"], counters["ticks"]
        microseconds = nanos / walks / 1_000
    else:
        walks, nanos = map(int, re.search(r"Collected (\d+) stacks, avg time = (\d+) ns", said).groups())
        microseconds = nanos / 1_000
    lab.note("walk", jdk=jdk, variant=variant.name, depth=depth, microseconds=microseconds, walks=walks)
    return microseconds
