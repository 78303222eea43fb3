"""Measures jprof beside async-profiler and prints the table of docs/benchmarks.md. Called by run.sh."""

import argparse
import os
import shutil
import subprocess
import time

import allocation
import flame_graph
import footprint
import instructions
import report
import sample_cost
import startup
import throughput
import walk
from jvm import Lab

SECTIONS = {
    "throughput": throughput,
    "allocation": allocation,
    "walk": walk,
    "instructions": instructions,
    "sample_cost": sample_cost,
    "startup": startup,
    "footprint": footprint,
    "flame_graph": flame_graph,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for path in ("out", "jdks", "classes", "agent", "command", "synthetic"):
        parser.add_argument(f"--{path}", required=True)
    parser.add_argument("--quick", action="store_true", help="short, for trying out")
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of: {' '.join(SECTIONS)}; default all")
    options = parser.parse_args()
    unknown = set(options.sections) - set(SECTIONS)
    if unknown:
        parser.error(f"no such section: {' '.join(unknown)}; there are {' '.join(SECTIONS)}")

    lab = Lab(options)
    for folder in ("runs", "uploads"):
        shutil.rmtree(lab.out / folder, ignore_errors=True)
    began = time.monotonic()
    facts = machine(lab)
    print(facts, flush=True)
    if not lab.async_profiler:
        lab.skip("all beside async-profiler: its library is not there")
    rows = []
    for name, section in SECTIONS.items():
        if options.sections and name not in options.sections:
            continue
        load, section_began = os.getloadavg()[0], time.monotonic()
        found = section.measure(lab)
        rows += found
        seconds = time.monotonic() - section_began
        print(f"\n{report.table(found)}\n{name}: {seconds:.0f} s, load before it {load:.1f}", flush=True)
        (lab.out / "table.md").write_text(f"{facts}\n\n{report.table(rows)}")
        lab.note("section", name=name, seconds=seconds, load_before=load)
        # Recordings are large, and each section has read its own.
        shutil.rmtree(lab.out / "runs", ignore_errors=True)
    for reason in lab.skipped:
        print(f"skipped: {reason}")
    print(
        f"{len(rows)} measurements, {len(lab.skipped)} skipped, {time.monotonic() - began:.0f} s; "
        f"{lab.out}/table.md, raw data in {lab.out}/raw.jsonl"
    )


def machine(lab):
    """The machine in general words."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    system = os.uname()
    jdks = []
    for jdk in (17, 8):
        if lab.has_jdk(jdk):
            words = [lab.jdks / f"jdk{jdk}" / "bin" / "java", "-version"]
            said = subprocess.run(words, capture_output=True, text=True, check=True).stderr
            jdks.append(said.split('"')[1])
    return (
        f"{os.cpu_count()} processors, {memory:.0f} GiB, {system.sysname} {system.release} {system.machine}, "
        f"JDK {' and '.join(jdks)}, load {os.getloadavg()[0]:.1f}{', quick run' if lab.quick else ''}"
    )


if __name__ == "__main__":
    main()
