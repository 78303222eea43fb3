"""JVMs that do fixed amounts of work in turns: whatever else the machine does meets them all alike."""

import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass

from jvm import STEADY, wait
from perf_switch import PerfSwitch

WARM_UP_TURNS = 6


@dataclass(frozen=True)
class Turn:
    """What one turn of a JVM took."""

    wall_nanos: int
    thread_cpu_nanos: int


class SteeredJvm:
    """A JVM with the program Steered, waiting for its turn."""

    def __init__(self, lab, jdk, variant, threads, flags=STEADY):
        self.lab = lab
        self.variant = variant
        self.folder = lab.new_run()
        self.sampled_cpu_nanos = 0
        self._threads = threads
        self._began = time.monotonic()
        self._process = lab.start(
            jdk,
            variant,
            ["io.jprof.benches.Steered", str(threads)],
            self.folder,
            flags,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._switch = None
        self._sampled = True

    def make_switchable(self):
        """From now on samples can be switched off. OSError where the system does not allow it."""
        self.turn(("spin", 0), 1)  # the workers are there now, with their events
        self._switch = PerfSwitch(self._process.pid)

    @property
    def switchable(self):
        return self._switch is not None

    def settle_units(self, order, seconds):
        """How many units take so long."""
        units = 100
        for _ in range(4):
            cpu = self.turn(order, units).thread_cpu_nanos
            units = max(1, round(units * seconds * 1e9 * self._threads / max(cpu, 1)))
        return units

    def warm_up(self, order, units):
        for _ in range(WARM_UP_TURNS):
            self.turn(order, units)

    def turn(self, order, units, sampled=True):
        """So many units of (work, depth) by each thread."""
        if self._switch and sampled != self._sampled:
            self._switch.set(sampled)
            self._sampled = sampled
        work, depth = order
        self._process.stdin.write(f"{work} {depth} {units}\n")
        self._process.stdin.flush()
        wall, cpu = self._answer()
        if sampled:
            self.sampled_cpu_nanos += cpu
        return Turn(wall, cpu)

    def _answer(self):
        for line in self._process.stdout:
            if line.startswith("done "):
                return map(int, line.split()[1:])
            # A profiler may have something to say too.
        raise RuntimeError(f"{self.variant.name}: the JVM has ended")

    @contextmanager
    def recording(self, options):
        """Under jprof, which is attached and detached again; without it where there are no options."""
        if options is None:
            yield
            return
        self.lab.jprof_command("attach", self._process.pid, options, "--library", self.lab.agent)
        try:
            yield
        finally:
            self.lab.jprof_command("detach", self._process.pid)

    def process_cpu_nanos(self):
        # The clock of another process: clock_getcpuclockid(3), CPUCLOCK_SCHED.
        return time.clock_gettime_ns((~self._process.pid << 3) | 2)

    def end(self):
        if self._switch:
            self._switch.close()
        self._process.stdin.close()
        wait(self._process, self._began)
        self._process.stdout.close()
