"""A clock that is set while a program, and what it starts, goes by it."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from devkit.process import inherited_environment
from devkit.stepped_clock import SteppedClock

# Asks the time each time it is sent a line; the second process is one that Python starts.
PROGRAM = """
import multiprocessing, sys, time
from service_kit.clock import utc_now

if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        for _ in sys.stdin:
            here, there = (now.timestamp() for now in (utc_now(), pool.apply(utc_now)))
            print(time.time(), time.time_ns() / 1e9, here, there, flush=True)
"""
NEAR = 600


@pytest.mark.spec("OVER-7")
def test_a_program_and_its_workers_go_by_a_clock_that_is_set_under_them(tmp_path: Path) -> None:
    clock, program = SteppedClock(tmp_path / "clock"), tmp_path / "program.py"
    program.write_text(PROGRAM)

    with subprocess.Popen(
        [sys.executable, program],
        env=inherited_environment() | clock.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        for seconds in (0, 7200, -7200):
            clock.step(seconds)
            running.stdin.write("\n")
            running.stdin.flush()
            told = [float(word) for word in running.stdout.readline().split()]
            assert told == [pytest.approx(time.time() + seconds, abs=NEAR)] * 4
        running.stdin.close()

    assert running.returncode == 0
