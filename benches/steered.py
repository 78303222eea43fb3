"""Several JVMs that do the same work in turns: whatever else the machine does meets them all alike."""

import random
import subprocess
import time
from dataclasses import dataclass

from jvm import STEADY, wait

WARM_UP_WINDOWS = 6


@dataclass(frozen=True)
class Window:
    """One turn of a JVM."""

    wall_nanos: int
    thread_cpu_nanos: int
    process_cpu_nanos: int  # from this turn's beginning to the next one's: background threads included


class SteeredJvm:
    """A JVM with the program Steered, waiting for its turn."""

    def __init__(self, lab, jdk, variant, threads):
        self.variant = variant
        self.folder = lab.new_run()
        self.thread_cpu_nanos = 0
        self.windows = []
        self._began = time.monotonic()
        self._process = lab.start(
            jdk,
            variant,
            ["io.jprof.benches.Steered", str(threads)],
            self.folder,
            STEADY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    @property
    def pid(self):
        return self._process.pid

    def turn(self, work, depth, units):
        """Wall time and the threads' CPU time of so many units."""
        self._process.stdin.write(f"{work} {depth} {units}\n")
        self._process.stdin.flush()
        wall, cpu = self._answer()
        self.thread_cpu_nanos += cpu
        return wall, cpu

    def _answer(self):
        for line in self._process.stdout:
            if line.startswith("done "):
                return map(int, line.split()[1:])
            # A profiler may have something to say too.
        raise RuntimeError(f"{self.variant.name}: the JVM has ended")

    def process_cpu_nanos(self):
        # The clock of another process: clock_getcpuclockid(3), CPUCLOCK_SCHED.
        return time.clock_gettime_ns((~self.pid << 3) | 2)

    def end(self):
        self._process.stdin.close()
        wait(self._process, self._began)
        self._process.stdout.close()


def take_turns(lab, what, jdk, variants, orders, threads, windows, window_seconds):
    """Runs one JVM per variant, each with its order (work, depth), and gives them back with their windows.

    The units of a window are settled with the first JVM: all do the same amount of work."""
    jvms = [SteeredJvm(lab, jdk, variant, threads) for variant in variants]
    units = {order: settle_units(jvms[0], order, threads, window_seconds) for order in set(orders)}
    for jvm, order in zip(jvms, orders):
        for _ in range(WARM_UP_WINDOWS):
            jvm.turn(*order, units[order])
    turns = [[] for _ in jvms]
    places = list(range(len(jvms)))
    shuffled = random.Random(1)
    for _ in range(windows):
        shuffled.shuffle(places)
        for place in places:
            began = jvms[place].process_cpu_nanos()
            turns[place].append((began, *jvms[place].turn(*orders[place], units[orders[place]])))
    for jvm, taken in zip(jvms, turns):
        ends = [began for began, _, _ in taken[1:]] + [jvm.process_cpu_nanos()]
        for (began, wall, cpu), end in zip(taken, ends):
            window = Window(wall, cpu, end - began)
            jvm.windows.append(window)
            lab.note(what, jdk=jdk, variant=jvm.variant.name, **vars(window))
    for jvm in jvms:
        jvm.end()
    return jvms


def settle_units(jvm, order, threads, window_seconds):
    units = 100
    for _ in range(4):
        _, cpu = jvm.turn(*order, units)
        units = max(1, round(units * window_seconds * 1e9 * threads / max(cpu, 1)))
    return units
