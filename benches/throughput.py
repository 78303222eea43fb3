"""How much work a CPU-bound program still does: its threads' work per second, under a profiler over without."""

import os

from jvm import Variant
from report import Row
from stats import spread
from steered import take_turns

SECTION = "Throughput (of none)"
WORK = ("mix", 50)
INTERVALS = {"10ms": 0.99, "1ms": 0.97}
MEASURES = {
    "work per CPU second of its threads": ("thread_cpu_nanos", True),
    "work per CPU second of the process": ("process_cpu_nanos", False),
    "work per second": ("wall_nanos", False),
}


def measure(lab):
    rows = []
    with lab.receiver() as address:
        for jdk, sets in ((17, 1 if lab.quick else 3), (8, 0 if lab.quick else 1)):
            if sets and not lab.has_jdk(jdk):
                lab.skip(f"throughput on JDK {jdk}: the JDK is not there")
            elif sets:
                rows += on_jdk(lab, jdk, sets, address)
    return rows


def on_jdk(lab, jdk, sets, address):
    variants = [Variant("none"), Variant("none again")]
    for interval in INTERVALS:
        upload = f"interval={interval},period=10s,url={address}"
        variants.append(lab.jprof(f"jprof {interval}", upload))
        variants += lab.async_profilers(f"async-profiler {interval}", f"interval={interval}")
    ratios = {}
    for _ in range(sets):
        jvms = take_turns(
            lab,
            "throughput",
            jdk,
            variants,
            [WORK] * len(variants),
            threads=os.cpu_count(),
            windows=6 if lab.quick else 16,
            window_seconds=0.15 if lab.quick else 0.3,
        )
        for jvm in jvms[1:]:
            for measure in vars(jvm.windows[0]):
                pairs = zip(jvms[0].windows, jvm.windows)
                found = [getattr(none, measure) / getattr(window, measure) for none, window in pairs]
                ratios.setdefault((jvm.variant.name, measure), []).extend(found)

    def of(name, measure):
        return spread(ratios[name, measure]) if (name, measure) in ratios else None

    return [
        Row(
            SECTION,
            f"{interval}, {what}, JDK {jdk}",
            of(f"jprof {interval}", measure),
            of(f"async-profiler {interval}", measure),
            goal if has_goal else None,
            more_is_better=True,
            digits=3,
            nothing=of("none again", measure),
        )
        for interval, goal in INTERVALS.items()
        for what, (measure, has_goal) in MEASURES.items()
    ]
