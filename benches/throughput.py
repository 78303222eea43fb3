"""How much work a CPU-bound program still does under a profiler: its work per second over that without samples.

A JVM is compared with itself, its samples switched off and on from outside, since two JVMs differ by some per cent in
what their compilers made of the same program. What the agent costs besides its samples is told by JVMs without one, as
well as that can be told. Where perf events cannot be switched, the JVM without a profiler is all there is."""

import os
import random
from dataclasses import dataclass

from jvm import Variant
from report import Row
from stats import spread
from steered import SteeredJvm

SECTION = "Throughput (of none)"
ORDER = ("mix", 50)
INTERVALS = {"10ms": 0.99, "1ms": 0.97}
MEASURES = {
    "thread_cpu_nanos": "work per CPU second of its threads",
    "process_cpu_nanos": "work per CPU second of the process",
    "wall_nanos": "work per second",
}


@dataclass(frozen=True)
class Window:
    """One turn, with the process's CPU time until its next one: background threads included."""

    wall_nanos: int
    thread_cpu_nanos: int
    process_cpu_nanos: int


def measure(lab):
    rows = []
    with lab.receiver() as address:
        for jdk, sets in ((17, 1),) if lab.quick else ((17, 3), (8, 1)):
            if lab.has_jdk(jdk):
                rows += on_jdk(lab, jdk, sets, address)
            else:
                lab.skip(f"throughput on JDK {jdk}: the JDK is not there")
    return rows


def on_jdk(lab, jdk, sets, address):
    variants = [Variant("none")]
    for interval in INTERVALS:
        variants.append(lab.jprof(f"jprof {interval}", f"interval={interval},period=10s,url={address}"))
        variants += lab.async_profilers(f"async-profiler {interval}", f"interval={interval}")
    ratios = {}
    for _ in range(sets):
        windows, switchable = one_set(lab, jdk, variants)
        for variant in variants:
            sampled, bare = windows[variant.name, True], windows[variant.name, False]
            none = windows["none", False]
            add_ratios(ratios, variant.name, bare if switchable else none, sampled)
            if switchable:
                add_ratios(ratios, f"{variant.name} switched off", none, bare)

    def of(name, measure):
        return spread(ratios[name, measure]) if (name, measure) in ratios else None

    rows = []
    for interval, goal in INTERVALS.items():
        for measure, what in MEASURES.items():
            rows.append(
                Row(
                    SECTION,
                    f"{interval}, {what}, JDK {jdk}",
                    of(f"jprof {interval}", measure),
                    of(f"async-profiler {interval}", measure),
                    goal,
                    more_is_better=True,
                    digits=3,
                    nothing=of("none", measure),
                )
            )
    if of("jprof 10ms switched off", "process_cpu_nanos"):
        rows.append(
            Row(
                SECTION,
                f"loaded but not sampling, {MEASURES['process_cpu_nanos']}, JDK {jdk}",
                of("jprof 10ms switched off", "process_cpu_nanos"),
                of("async-profiler 10ms switched off", "process_cpu_nanos"),
                digits=3,
            )
        )
    return rows


def add_ratios(ratios, name, bare, sampled):
    for measure in MEASURES:
        found = [getattr(without, measure) / getattr(with_, measure) for without, with_ in zip(bare, sampled)]
        ratios.setdefault((name, measure), []).extend(found)


def one_set(lab, jdk, variants):
    """Windows by variant and whether samples were on, in rounds of one of each, shuffled; and whether they could be
    switched."""
    jvms = [SteeredJvm(lab, jdk, variant, threads=os.cpu_count()) for variant in variants]
    try:
        for jvm in jvms:
            if jvm.variant.agent:
                jvm.make_switchable()
        switchable = True
    except OSError as error:
        lab.skip(f"throughput on JDK {jdk}, each JVM against itself: samples cannot be switched off: {error}")
        switchable = False
    units = jvms[0].settle_units(ORDER, 0.15 if lab.quick else 0.3)
    for jvm in jvms:
        jvm.warm_up(ORDER, units)
    places = [(jvm, on) for jvm in jvms for on in (True, False) if switchable or on or not jvm.variant.agent]
    turns = {jvm.variant.name: [] for jvm in jvms}
    shuffled = random.Random(1)
    for _ in range(6 if lab.quick else 12):
        shuffled.shuffle(places)
        for jvm, on in places:
            began = jvm.process_cpu_nanos()
            turns[jvm.variant.name].append((on, began, jvm.turn(ORDER, units, sampled=on)))
    windows = {(variant.name, on): [] for variant in variants for on in (True, False)}
    for jvm in jvms:
        name = jvm.variant.name
        ends = [began for _, began, _ in turns[name][1:]] + [jvm.process_cpu_nanos()]
        for (on, began, turn), end in zip(turns[name], ends):
            window = Window(turn.wall_nanos, turn.thread_cpu_nanos, end - began)
            windows[name, on].append(window)
            lab.note("throughput", jdk=jdk, variant=name, sampled=on, **vars(window))
        jvm.end()
    return windows, switchable
