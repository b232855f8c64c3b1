"""What is promised of a system under faults, or over time, and whether it was kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

# What tells a client the truth: nobody could answer now. 502 is for a request that may have been
# acted on when the service behind died with it.
HONEST = frozenset(
    (
        "502 upstream_failed",
        "503 auth_unavailable",
        "503 database_unavailable",
        "503 overloaded",
        "503 upstream_unavailable",
        "504 upstream_timeout",
    )
)
# What a client sees when the process that holds its connection is gone, or hangs.
BROKEN_CONNECTIONS = frozenset(
    ("ConnectError", "ConnectTimeout", "ReadError", "ReadTimeout", "RemoteProtocolError")
)
LONGEST_RECOVERY = 30.0
_MOST_GROWTH = {"memory": 0.15, "files": 0.1, "connections": 0.1}
_FREE_GROWTH = {"memory": 24 * 2**20, "files": 10, "connections": 10}


@dataclass(frozen=True)
class Fault:
    """What became of the requests during one fault.

    `recovery` is for how many seconds requests failed after the fault was over. A fault that
    `holds_connections` ends those of the clients.
    """

    name: str
    requests: int
    failures: Mapping[str, int]
    recovery: float
    lost: int
    foreign: int
    holds_connections: bool = False
    must_not_fail: bool = False

    def broken(self) -> list[str]:
        """Return what was promised and not kept."""
        allowed = HONEST | BROKEN_CONNECTIONS if self.holds_connections else HONEST
        dishonest = sorted(set(self.failures) - allowed)
        found = [f"failed as {kind}" for kind in dishonest]
        if self.must_not_fail and self.failures:
            found.append("requests failed")
        if self.recovery > LONGEST_RECOVERY:
            found.append(f"failed for {self.recovery:.0f} s after the fault")
        if self.lost:
            found.append(f"{self.lost} acknowledged writes lost")
        if self.foreign:
            found.append("another user's data was shown")
        return found


@dataclass
class Growth:
    """Samples of one figure of one process, taken at equal distances."""

    kind: str
    samples: list[float] = field(default_factory=list)

    @property
    def first(self) -> float:
        """The level once all is warm: after a third of the time."""
        steady = self._steady()
        return fmean(steady[: max(len(steady) // 5, 1)])

    @property
    def last(self) -> float:
        """The level at the end."""
        steady = self._steady()
        return fmean(steady[-max(len(steady) // 5, 1) :])

    def slope(self, seconds: float) -> float:
        """Return by how much it grows in an hour, of samples so many seconds apart."""
        steady = self._steady()
        middle, mean = (len(steady) - 1) / 2, fmean(steady)
        spread = sum((x - middle) ** 2 for x in range(len(steady)))
        if not spread:
            return 0.0
        return (
            sum((x - middle) * (y - mean) for x, y in enumerate(steady)) / spread * 3600 / seconds
        )

    def grows(self) -> bool:
        """Tell whether the end is above the beginning by more than noise explains."""
        return self.last - self.first > max(
            _FREE_GROWTH[self.kind], self.first * _MOST_GROWTH[self.kind]
        )

    def _steady(self) -> Sequence[float]:
        return self.samples[len(self.samples) // 3 :]


def table(faults: Sequence[Fault]) -> str:
    """Return the faults as a table of Markdown."""
    head = "| fault | requests | failed | how | recovered after | writes lost | others' data | |"
    lines = [head, "|---|---|---|---|---|---|---|---|"]
    for fault in faults:
        how = ", ".join(f"{count} x {kind}" for kind, count in sorted(fault.failures.items()))
        verdict = "; ".join(fault.broken()) or "kept"
        lines.append(
            f"| {fault.name} | {fault.requests} | {sum(fault.failures.values())} | {how or '-'} | "
            f"{fault.recovery:.1f} s | {fault.lost} | {fault.foreign} | {verdict} |"
        )
    return "\n".join(lines)
