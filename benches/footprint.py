"""Peak memory of a busy program at 1 ms, uploads included, and the bytes that its samples take."""

import gzip
import os
import subprocess
import time

from jvm import STEADY, Variant, wait
from report import Row
from stats import whole_range
from steered import SteeredJvm

SECTION = "Footprint of a busy program at 1 ms"
MIB = 1024 * 1024
INTERVAL_NANOS = 1_000_000
LEAST_SAMPLES = 10_000


def measure(lab):
    if not lab.has_jdk(17):
        lab.skip("footprint: JDK 17 is not there")
        return []
    steady = {name: [size] for name, size in steady_program(lab).items() if size}
    peaks, churning = churning_program(lab)

    def of(found, name):
        return whole_range(found[name]) if name in found else None

    rows = [
        ("peak memory added, MiB", peaks, 12),
        ("bytes per sample after gzip", steady, 9),
        ("the same where threads come and go", churning, 9),
    ]
    return [
        Row(
            SECTION,
            f"{what}, JDK 17",
            of(found, "jprof"),
            of(found, "async-profiler"),
            goal=goal,
            nothing=of(found, "none again"),
        )
        for what, found, goal in rows
        if "jprof" in found
    ]


def steady_program(lab):
    """Bytes per sample of a program whose threads stay."""
    order, seconds = ("mix", 50), 0.5
    variants = [
        lab.jprof("jprof", "url=none,dialect=datakit,interval=1ms,period=1h"),
        *lab.async_profilers("async-profiler", "interval=1ms"),
    ]
    jvms = [SteeredJvm(lab, 17, variant, threads=os.cpu_count()) for variant in variants]
    units = jvms[0].settle_units(order, seconds)
    least_nanos = (0.3 if lab.quick else 2) * LEAST_SAMPLES * INTERVAL_NANOS
    while min(jvm.sampled_cpu_nanos for jvm in jvms) < least_nanos:
        for depth in (10, 20, 30, 50, 80):
            for jvm in jvms:
                jvm.turn((order[0], depth), units // 4)
    for jvm in jvms:
        jvm.end()
    return {jvm.variant.name: bytes_per_sample(lab, jvm.variant, jvm.folder) for jvm in jvms}


def churning_program(lab):
    """Peak memory, and bytes per sample, of a program that also starts some hundred threads a second."""
    seconds = 12 if lab.quick else 50
    peaks, sizes = {}, {}
    with lab.receiver() as address:
        variants = [
            Variant("none"),
            Variant("none again"),
            lab.jprof("jprof", f"interval=1ms,period=20s,url={address}"),
            *lab.async_profilers("async-profiler", "interval=1ms"),
        ]
        for _ in range(1 if lab.quick else 3):
            found = run_together(lab, variants, seconds)
            for variant, (ended, folder) in found.items():
                added = ended.peak_bytes - found[variants[0]][0].peak_bytes
                peaks.setdefault(variant.name, []).append(added / MIB)
                size = bytes_per_sample(lab, variant, folder) if variant.agent else None
                if size:
                    sizes.setdefault(variant.name, []).append(size)
    return peaks, sizes


def run_together(lab, variants, seconds):
    """Runs the program under all variants at once: they share the processors, each gets its part."""
    running = []
    for variant in variants:
        folder = lab.new_run()
        began = time.monotonic()
        program = ["io.jprof.harness.Mix", str(seconds)]
        process = lab.start(17, variant, program, folder, STEADY, stdout=subprocess.DEVNULL)
        running.append((variant, folder, process, began))
    found = {}
    for variant, folder, process, began in running:
        ended = wait(process, began)
        lab.note("footprint", jdk=17, variant=variant.name, **vars(ended))
        found[variant] = ended, folder
    return found


def bytes_per_sample(lab, variant, folder):
    """None when there were too few samples."""
    data = (folder / "recording.jfr").read_bytes()
    compressed = len(gzip.compress(data, 6))
    if variant.name == "jprof":
        samples = lab.counters(folder)["samples_taken"]
    else:
        samples = sum(count for _, count in lab.collapsed(folder))
    lab.note("size", variant=variant.name, raw=len(data), compressed=compressed, samples=samples)
    if samples < LEAST_SAMPLES and not lab.quick:
        # What stands once in a recording would count too much.
        lab.skip(f"bytes per sample, {variant.name}: {samples:,} samples, fewer than {LEAST_SAMPLES:,}")
        return None
    return compressed / samples
