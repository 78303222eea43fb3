"""The table of results."""

from dataclasses import dataclass

from stats import Spread


@dataclass(frozen=True)
class Row:
    """One measurement of both profilers."""

    section: str
    what: str
    jprof: Spread
    async_profiler: Spread = None
    goal: float = None
    more_is_better: bool = False
    digits: int = 1
    # What the same measurement gives where there is no difference: the noise.
    nothing: Spread = None

    def verdict(self):
        if self.goal is None:
            return ""
        sign = "≥" if self.more_is_better else "≤"
        met = self.jprof.middle >= self.goal if self.more_is_better else self.jprof.middle <= self.goal
        spans = self.jprof.low < self.goal < self.jprof.high
        return f"{sign} {self.goal:g} {'met' if met else '**missed**'}{', range spans it' if spans else ''}"

    def cells(self):
        def cell(spread):
            return "–" if spread is None else spread.text(self.digits)

        return [self.what, cell(self.jprof), cell(self.async_profiler), cell(self.nothing), self.verdict()]


HEAD = ["", "jprof", "async-profiler 4.4", "none beside none", "goal"]


def table(rows):
    """Markdown, one table per section."""
    lines = []
    section = None
    for row in rows:
        if row.section != section:
            section = row.section
            lines += ["", f"### {section}", "", line(HEAD), line(["---"] * len(HEAD))]
        lines.append(line(row.cells()))
    return "\n".join(lines[1:]) + "\n"


def line(cells):
    return f"| {' | '.join(cells)} |"
