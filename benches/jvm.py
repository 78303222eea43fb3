"""JVMs under a profiler or under none, and the receiver that they upload to."""

import json
import os
import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

# A heap of one size that is in memory from the start, and a collector without threads of its own: what else differs
# between two runs is the profiler's.
STEADY = ["-XX:+UseSerialGC", "-Xms64m", "-Xmx64m", "-Xmn32m", "-XX:+AlwaysPreTouch"]


@dataclass(frozen=True)
class Variant:
    """A way to run a program: under nothing, jprof or async-profiler."""

    name: str
    agent: str = ""  # the argument of -agentpath, with {file} for the recording and {spool} for jprof's folder


@dataclass(frozen=True)
class Ended:
    """What a process took from its start to its end."""

    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int


class Lab:
    """Where things are, and how long to measure."""

    def __init__(self, options):
        self.out = Path(options.out)
        self.jdks = Path(options.jdks)
        self.classes = options.classes
        self.agent = Path(options.agent).resolve()
        self.command = Path(options.command).resolve()
        self.synthetic = Path(options.synthetic)
        self.quick = options.quick
        self.skipped = []
        library = self.out / "libasyncProfiler.so"
        self.async_profiler = library if library.is_file() else None
        self.raw = open(self.out / "raw.jsonl", "w")
        self._runs = 0

    def note(self, what, **figures):
        """One line of raw data."""
        self.raw.write(json.dumps({"what": what, **figures}) + "\n")
        self.raw.flush()

    def skip(self, reason):
        print(f"skipped: {reason}", flush=True)
        self.skipped.append(reason)

    def has_jdk(self, version):
        return os.access(self.jdks / f"jdk{version}" / "bin" / "java", os.X_OK)

    # The variants. Each names its recording's format by its own words; the default interval of both is 10 ms.

    def jprof(self, name, options):
        return Variant(name, f"{self.agent}=log={self.out}/jprof.log,spool={{spool}},file={{file}},{options}")

    def async_profilers(self, name, options):
        """A list of one, or of none where async-profiler is not there."""
        if not self.async_profiler:
            return []
        return [Variant(name, f"{self.async_profiler.resolve()}=start,event=cpu,jfr,file={{file}},{options}")]

    def new_run(self):
        """A folder for one JVM's recording and spool."""
        self._runs += 1
        folder = self.out / "runs" / f"{self._runs}"
        folder.mkdir(parents=True)
        return folder

    def start(self, jdk, variant, program, folder, flags=(), before=(), **pipes):
        """Starts a program, by way of another if `before` names one."""
        words = [*before, str(self.jdks / f"jdk{jdk}" / "bin" / "java"), *flags]
        if variant.agent:
            agent = variant.agent.format(file=folder / "recording.jfr", spool=folder / "spool")
            words.append(f"-agentpath:{agent}")
        return subprocess.Popen([*words, "-cp", self.classes, *program], **pipes)

    def run(self, jdk, variant, program, folder, flags=()):
        """Runs a program to its end."""
        began = time.monotonic()
        process = self.start(jdk, variant, program, folder, flags, stdout=subprocess.DEVNULL)
        return wait(process, began)

    def jprof_command(self, *words):
        subprocess.run([self.command, *map(str, words)], check=True, stdout=subprocess.DEVNULL)

    def takes(self, jdk, flags):
        """Whether a JVM starts with these flags."""
        words = [self.jdks / f"jdk{jdk}" / "bin" / "java", *flags, "-version"]
        return subprocess.run(words, capture_output=True).returncode == 0

    # Recordings.

    def collapsed(self, folder):
        """Pairs of a stack, its thread's name first, and how many intervals it stands for."""
        words = [self.command, "convert", folder / "recording.jfr", "--to", "collapsed", "--threads"]
        text = subprocess.run(words, check=True, capture_output=True, text=True).stdout
        for line in text.splitlines():
            stack, _, count = line.rpartition(" ")
            yield stack, int(count)

    def counters(self, folder):
        words = [self.command, "metrics", folder / "recording.jfr", "--counters", "--json"]
        return json.loads(subprocess.run(words, check=True, capture_output=True).stdout)

    @contextmanager
    def receiver(self):
        """The embedded receiver at work; gives its address."""
        words = [self.command, "serve", "--listen", "127.0.0.1:0", "--dir", self.out / "uploads"]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
            try:
                address = process.stdout.readline().removeprefix("listening on ").strip().rstrip("/")
                # What it says next goes nowhere; a full pipe would stop it.
                subprocess.Popen(["cat"], stdin=process.stdout, stdout=subprocess.DEVNULL)
                yield address
            finally:
                process.terminate()


def wait(process, began):
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"exit {process.returncode}: {' '.join(map(str, process.args))}")
    return Ended(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def dead_port():
    """A port of this machine on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
