"""How many instructions a walk takes: JVMs under valgrind's callgrind, which counts between the entry of each profiler's
walk and its return. Nothing else of a machine is in these figures, neither caches nor other work."""

import re
import subprocess
from dataclasses import replace

from report import Row
from stats import whole_range

SECTION = "Instructions of a walk"
DEPTHS = (20, 200, 1_000)
UNITS = 1_500
GOAL_OF_ASYNC_PROFILER = 0.8
# Where each profiler's walk begins, as callgrind calls it.
WALKS = {"jprof": "*HotspotWalker as *Walker>::walk*", "async-profiler": "StackWalker::walkVM*"}
# Code that the JVM makes and changes is read anew; one thread of the JVM runs at a time.
CALLGRIND = ["--tool=callgrind", "--smc-check=all-non-file", "--collect-atstart=no"]
JVM = ["-XX:+UseSerialGC", "-Xmx64m", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"]


def measure(lab):
    if subprocess.run(["which", "valgrind"], capture_output=True).returncode != 0:
        lab.skip("instructions of a walk: valgrind is not there")
        return []
    if not lab.has_jdk(17):
        lab.skip("instructions of a walk: JDK 17 is not there")
        return []
    rows = []
    for depth in DEPTHS[:1] if lab.quick else DEPTHS:
        rows += at_depth(lab, depth)
    return rows


def at_depth(lab, depth):
    own = lab.jprof("jprof", "url=none,event=ctimer,interval=4ms,period=1h")
    peers = lab.async_profilers("async-profiler", "interval=4ms,features=stats")
    # Valgrind knows no perf events that signal.
    peers = [replace(peer, agent=peer.agent.replace("event=cpu", "event=ctimer")) for peer in peers]
    found = {variant.name: per_walk(lab, variant, depth) for variant in [own, *peers]}

    def of(name):
        return whole_range([found[name]]) if name in found else None

    rows = [Row(SECTION, f"at depth {depth:,}, JDK 17", of("jprof"), of("async-profiler"), digits=0)]
    if len(found) > 1:
        ratio = found["jprof"] / found["async-profiler"]
        what = f"of async-profiler's at depth {depth:,}, JDK 17"
        rows.append(Row(SECTION, what, whole_range([ratio]), goal=GOAL_OF_ASYNC_PROFILER, digits=2))
    return rows


def per_walk(lab, variant, depth):
    folder = lab.new_run()
    valgrind = ["valgrind", *CALLGRIND, f"--toggle-collect={WALKS[variant.name]}"]
    valgrind.append(f"--callgrind-out-file={folder}/callgrind.out")
    process = lab.start(
        17,
        variant,
        ["io.jprof.benches.Steered", "1"],
        folder,
        JVM,
        before=valgrind,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said, _ = process.communicate(f"spin {depth} {UNITS}\n")
    instructions = int(re.search(r"Collected : (\d+)", said).group(1))
    if variant.name == "jprof":
        walks = lab.counters(folder)["ticks"]
    else:
        walks = int(re.search(r"Collected (\d+) stacks", said).group(1))
    lab.note("instructions", variant=variant.name, depth=depth, instructions=instructions, walks=walks)
    return instructions / walks
