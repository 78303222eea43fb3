"""The page of a made-up profile of 100,000 stacks. What a browser does with it is measured in tests/browser."""

import json
import subprocess
import time

from jvm import wait
from report import Row
from stats import whole_range

SECTION = "A flame graph of 100,000 stacks, a million nodes"
MIB = 1024 * 1024


def measure(lab):
    page = lab.out / "synthetic.html"
    found = []
    for _ in range(1 if lab.quick else 5):
        began = time.monotonic()
        process = subprocess.Popen([lab.synthetic, page], stdout=subprocess.PIPE)
        said = json.loads(process.stdout.read())
        ended = wait(process, began)
        found.append((ended.wall_seconds, ended.peak_bytes / MIB, said["page_bytes"] / MIB))
        lab.note("flame_graph", **vars(ended), page_bytes=said["page_bytes"], nodes=said["nodes"])
    seconds, memory, size = map(whole_range, zip(*found))
    return [
        Row(SECTION, "making it, s", seconds, goal=4, digits=2),
        Row(SECTION, "peak memory, MiB", memory, goal=300, digits=0),
        Row(SECTION, "page, MiB", size, goal=4, digits=2),
    ]
