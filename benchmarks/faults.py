"""`python -m benchmarks.faults [WORD…]`: every process through its faults, under load.

Only the faults whose names hold one of the words, if any are given. The table goes to standard
output and to benchmarks/results/faults.md; the exit code is 1 when a promise was broken.
"""

import asyncio
import resource
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks import fault_actions as actions
from benchmarks.fault_system import SERVICES, System, small_disk, system
from devkit.load import load, lost
from devkit.promises import Fault, table

RESULTS = Path(__file__).parent / "results" / "faults.md"
PARTS = ("postgres", "redis", *SERVICES)
# Longer than any limit of ours: a client that gives up first would not see what it is told.
PATIENCE_SECONDS = 40.0
LIMIT_SECONDS = 90.0
# Room for the connections at both of their ends.
FILES = 2 * actions.IDLE_CONNECTIONS + 1_000

During = Callable[[System], Awaitable[None]]


@dataclass(frozen=True)
class Plan:
    """A fault: `during` does it and mends what would not mend itself."""

    name: str
    during: During
    holds_connections: bool = False
    must_not_fail: bool = False


async def main() -> int:
    """Do every fault, and tell."""
    words = sys.argv[1:]
    _, hardest = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(FILES, hardest), hardest))
    found: list[Fault] = []
    for surroundings, plans in ((system, plans_for_all()), (small_disk, [FULL_DISK])):
        chosen = [one for one in plans if not words or any(word in one.name for word in words)]
        if not chosen:
            continue
        try:
            async with surroundings() as ready:
                for plan in chosen:
                    found.append(await suffer(ready, plan))
                    print(table(found[-1:]).splitlines()[-1], flush=True)
        except PermissionError as error:
            print(f"not reached: {', '.join(plan.name for plan in chosen)}: {error}")
    report = f"# Faults\n\n`make test-faults`\n\n{table(found)}\n"
    if not words:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(report, encoding="utf-8")
    print(report)
    return int(any(fault.broken() for fault in found))


async def suffer(system: System, plan: Plan) -> Fault:
    """Do one fault under load, and wait until requests succeed again."""
    async with (
        asyncio.timeout(LIMIT_SECONDS),
        load([system.stack.url], system.headers, patience=PATIENCE_SECONDS) as seen,
    ):
        await seen.progress(100)
        await plan.during(system)
        over = time.monotonic()
        await seen.progress(100)
        while time.monotonic() - max(seen.last_failure, over) < 1:
            await seen.progress(10)
    missing = await lost(seen, system.stack.url, system.headers)
    return Fault(
        plan.name,
        seen.answered + len(seen.failures),
        dict(seen.kinds),
        max(seen.last_failure - over, 0.0),
        missing,
        seen.foreign,
        holds_connections=plan.holds_connections,
        must_not_fail=plan.must_not_fail,
    )


def plans_for_all() -> list[Plan]:
    """Return the faults that one system goes through, one after the other."""
    each = [
        Plan(f"{name} {part}", partial(do, part), holds_connections=part == "gateway")
        for name, do in (("kill -9", actions.killed), ("SIGSTOP 10 s", actions.hanging))
        for part in PARTS
    ]
    return [
        *each,
        Plan("Redis flushed", actions.flushed, must_not_fail=True),
        Plan("PostgreSQL restarted", actions.restarted),
        Plan("issuer unreachable 8 s", actions.unreachable, must_not_fail=True),
        Plan("connection pool exhausted 8 s", actions.exhausted),
        Plan(f"{actions.IDLE_CONNECTIONS} idle connections", actions.idle, must_not_fail=True),
        Plan("SIGTERM to a gateway worker", actions.worker_ended, must_not_fail=True),
        Plan("clock -1 h, +1 h every service", partial(actions.stepped, SERVICES)),
        *(Plan(f"clock -1 h, +1 h {part}", partial(actions.stepped, (part,))) for part in SERVICES),
    ]


FULL_DISK = Plan("disk of PostgreSQL full 8 s", actions.full)


if __name__ == "__main__":
    # What was started ends with us, however politely we are told to.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    sys.exit(asyncio.run(main()))
