"""Peak memory of a busy program at 1 ms, uploads included, and the bytes that its samples take."""

import gzip
import subprocess
import time

from jvm import STEADY, Variant, wait
from report import Row
from stats import whole_range

SECTION = "Footprint of a busy program at 1 ms"
MIB = 1024 * 1024
LEAST_SAMPLES = 10_000


def measure(lab):
    if not lab.has_jdk(17):
        lab.skip("footprint: JDK 17 is not there")
        return []
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
                if variant.agent:
                    sizes.setdefault(variant.name, []).append(bytes_per_sample(lab, variant, folder))

    def of(found, name):
        return whole_range(found[name]) if name in found else None

    return [
        Row(
            SECTION,
            "peak memory added, MiB, JDK 17",
            of(peaks, "jprof"),
            of(peaks, "async-profiler"),
            goal=12,
            nothing=of(peaks, "none again"),
        ),
        Row(
            SECTION,
            "bytes per sample after gzip, JDK 17",
            of(sizes, "jprof"),
            of(sizes, "async-profiler"),
            goal=9,
        ),
    ]


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
    data = (folder / "recording.jfr").read_bytes()
    compressed = len(gzip.compress(data, 6))
    if variant.name == "jprof":
        samples = lab.counters(folder)["samples_taken"]
    else:
        samples = sum(count for _, count in lab.collapsed(folder))
    lab.note("size", variant=variant.name, raw=len(data), compressed=compressed, samples=samples)
    if samples < LEAST_SAMPLES:
        lab.skip(f"bytes per sample, {variant.name}: {samples} samples count, {LEAST_SAMPLES} should")
    return compressed / samples
