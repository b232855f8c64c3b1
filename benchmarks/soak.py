"""`python benchmarks/soak.py [MINUTES]`: whether anything grows that should not.

Steady load on a system on loopback. Of each process, with those it started, memory, open files and
connections are sampled; the exit code is 1 when one of them grows. The table goes to standard
output and to benchmarks/results/soak.md.
"""

import asyncio
import signal
import sys
import time
from collections import defaultdict
from pathlib import Path

import psutil

from devkit.load import load
from devkit.promises import Growth
from devkit.stack import Stack, running_stack

RESULTS = Path(__file__).parent / "results" / "soak.md"
PARTS = ("postgres", "redis", "auth-verifier", "tasks", "gateway")
KINDS = {"memory": 2**20, "files": 1, "connections": 1}
SAMPLES = 60
SHORTEST_PAUSE = 1.0


async def main() -> int:
    """Load the system for so many minutes, and tell."""
    seconds = float(sys.argv[1] if len(sys.argv) > 1 else 10) * 60
    pause = max(seconds / SAMPLES, SHORTEST_PAUSE)
    growths: defaultdict[tuple[str, str], Growth] = defaultdict(lambda: Growth(""))
    environment = {"gateway": {"GATEWAY_WORKERS": "2"}, "tasks": {"TASKS_WORKERS": "2"}}
    async with (
        running_stack(environment=environment, durable_redis=True) as stack,
        load([stack.url], stack.headers, users=12) as seen,
    ):
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            await asyncio.sleep(pause)
            for part in PARTS:
                for kind, number in (await asyncio.to_thread(_figures, stack, part)).items():
                    growth = growths[part, kind]
                    growth.kind = kind
                    growth.samples.append(number)
    lines = [
        f"# {seconds / 60:.0f} minutes under load",
        "",
        "`make soak`: two workers of gateway and tasks each, 12 users.",
        "",
        f"{seen.answered:,} requests answered, {len(seen.failures)} failed: {dict(seen.kinds)}",
        "",
        "| process | what | first | last | per hour | |",
        "|---|---|---|---|---|---|",
    ]
    for (part, kind), growth in growths.items():
        unit = KINDS[kind]
        lines.append(
            f"| {part} | {kind}{' MiB' if unit > 1 else ''} | {growth.first / unit:.1f} "
            f"| {growth.last / unit:.1f} | {growth.slope(pause) / unit:+.1f} "
            f"| {'GROWS' if growth.grows() else 'steady'} |"
        )
    report = "\n".join(lines) + "\n"
    RESULTS.write_text(report, encoding="utf-8")
    print(report)
    return int(bool(seen.failures) or any(growth.grows() for growth in growths.values()))


def _figures(stack: Stack, part: str) -> dict[str, float]:
    process = psutil.Process(stack.pid(part))
    found = dict.fromkeys(KINDS, 0.0)
    for one in (process, *process.children(recursive=True)):
        try:
            # What PostgreSQL's processes share would be counted once for each.
            memory = one.memory_full_info().uss
            files, connections = one.num_fds(), len(one.net_connections(kind="tcp"))
        except psutil.NoSuchProcess:
            continue
        found["memory"] += memory
        found["files"] += files
        found["connections"] += connections
    return found


if __name__ == "__main__":
    # What was started ends with us, however politely we are told to.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    sys.exit(asyncio.run(main()))
