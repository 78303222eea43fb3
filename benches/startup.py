"""What a profiler adds to the start and end of a hello world."""

from jvm import Variant, dead_port
from report import Row
from stats import spread

SECTION = "Start-up: added to a hello world, start to end (ms)"
GOAL_MILLIS = 40


def measure(lab):
    rows = []
    for jdk in (17, 8):
        if lab.has_jdk(jdk):
            rows += on_jdk(lab, jdk)
        else:
            lab.skip(f"start-up on JDK {jdk}: the JDK is not there")
    return rows


def on_jdk(lab, jdk):
    with lab.receiver() as address:
        targets = {
            "a file only": "url=none",
            "upload to a receiver": f"url={address}",
            "upload to a dead port": f"url=http://127.0.0.1:{dead_port()}",
        }
        variants = [lab.jprof(target, options) for target, options in targets.items()]
        variants += [*lab.async_profilers("async-profiler", "interval=10ms"), Variant("none"), Variant("none again")]
        added = {}
        for turn in range(4 if lab.quick else 15):
            ended = {}
            for place in range(len(variants)):
                variant = variants[(place + turn) % len(variants)]
                ended[variant.name] = lab.run(jdk, variant, ["io.jprof.benches.Hello"], lab.new_run())
                lab.note("startup", jdk=jdk, variant=variant.name, **vars(ended[variant.name]))
            for name, run in ended.items():
                for clock in ("wall_seconds", "cpu_seconds"):
                    more = getattr(run, clock) - getattr(ended["none"], clock)
                    added.setdefault((name, clock), []).append(more * 1_000)

    def of(name, clock):
        return spread(added[name, clock]) if (name, clock) in added else None

    return [
        Row(
            SECTION,
            f"{what}, {target}, JDK {jdk}",
            of(target, clock),
            of("async-profiler", clock),
            goal=GOAL_MILLIS,
            nothing=of("none again", clock),
        )
        for what, clock in (("time", "wall_seconds"), ("CPU time", "cpu_seconds"))
        for target in targets
    ]
