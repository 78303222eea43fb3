"""How much work a program that does nothing but allocate still does with allocation samples and live objects, by collector:
its work per second over that without.

A JVM is compared with itself: jprof is attached to it and detached again between two windows of work. What weak references
cost is in the collector's time, so the whole process's CPU time counts."""

import os
import random

from jvm import Variant
from report import Row
from stats import spread
from steered import SteeredJvm

SECTION = "Throughput of a program that allocates (of none)"
ORDER = ("allocate", 50)
GOAL = 0.98
JDK = 17
HEAP = ["-Xms512m", "-Xmx512m", "-XX:+AlwaysPreTouch"]
COLLECTORS = {
    "G1": ["-XX:+UseG1GC"],
    "Parallel": ["-XX:+UseParallelGC"],
    "ZGC": ["-XX:+UseZGC"],
    "Shenandoah": ["-XX:+UseShenandoahGC"],
}
RECORDED = {"alloc=on": "alloc=on", "alloc=on,live=on": "alloc=on,live=on"}
# A recording begins with more samples than it goes on with: in its first half second there may be any number.
SETTLING_TURNS = 2
# The same as none: what it differs by is noise.
AGAIN = "again none"
MEASURES = {"process": "work per CPU second of the process", "wall": "work per second"}


def measure(lab):
    if not lab.has_jdk(JDK):
        lab.skip(f"programs that allocate: JDK {JDK} is not there")
        return []
    rows = []
    for name, flags in COLLECTORS.items():
        if lab.takes(JDK, flags):
            rows += with_collector(lab, name, [*flags, *HEAP])
        else:
            lab.skip(f"programs that allocate, {name}: JDK {JDK} has no such collector")
    return rows


def with_collector(lab, collector, flags):
    jvm = SteeredJvm(lab, JDK, Variant("none"), os.cpu_count(), flags)
    units = jvm.settle_units(ORDER, 0.2 if lab.quick else 0.5)
    jvm.warm_up(ORDER, units)
    places = {"none": None, AGAIN: None}
    for name, options in RECORDED.items():
        places[name] = (
            f"log={lab.out}/jprof.log,spool={jvm.folder}/spool,url=none,dialect=datakit,event=none,"
            f"file={jvm.folder}/%t.jfr,{options}"
        )
    ratios = {}
    # The first recording of a JVM compiles what it needs.
    for options in places.values():
        one_window(jvm, units, options)
    for _ in range(4 if lab.quick else 12):
        order = list(places)
        random.shuffle(order)
        windows = {name: one_window(jvm, units, places[name]) for name in order}
        for name, window in windows.items():
            lab.note("allocation", collector=collector, variant=name, **window)
            for figure in MEASURES:
                ratio = windows["none"][figure] / window[figure]
                ratios.setdefault((name, figure), []).append(ratio)
    jvm.end()
    return [
        Row(
            SECTION,
            f"{name}, {what}, {collector}, JDK {JDK}",
            spread(ratios[name, figure]),
            goal=GOAL,
            more_is_better=True,
            digits=3,
            nothing=spread(ratios[AGAIN, figure]),
        )
        for name in RECORDED
        for figure, what in MEASURES.items()
    ]


def one_window(jvm, units, options):
    """Nanoseconds that a turn takes, after those in which the heap and the distance of samples settle."""
    with jvm.recording(options):
        for _ in range(SETTLING_TURNS if options else 1):
            jvm.turn(ORDER, units)
        began = jvm.process_cpu_nanos()
        turn = jvm.turn(ORDER, units)
        return {"wall": turn.wall_nanos, "process": jvm.process_cpu_nanos() - began}
