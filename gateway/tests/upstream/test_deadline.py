"""The movable timer, on a clock that the test turns."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from gateway_service.upstream.deadline import Deadline


class Timer:
    def __init__(self, at: float, call: Callable[[], None]) -> None:
        self.at = at
        self.call = call
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class TurnedClock:
    """As much of an event loop as timers need."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[Timer] = []

    def time(self) -> float:
        return self.now

    def call_at(self, at: float, call: Callable[[], None]) -> Timer:
        self.timers.append(Timer(at, call))
        return self.timers[-1]

    def turn_to(self, now: float) -> None:
        self.now = now
        due = [t for t in self.timers if t.at <= now and not t.cancelled]
        self.timers = [t for t in self.timers if t not in due]
        for timer in due:
            timer.call()

    @property
    def pending(self) -> list[float]:
        return [timer.at for timer in self.timers if not timer.cancelled]


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
def passed() -> list[float]:
    return []


@pytest.fixture
def deadline(clock: TurnedClock, passed: list[float]) -> Deadline:
    loop: Any = clock
    return Deadline(cast("asyncio.AbstractEventLoop", loop), lambda: passed.append(clock.now))


def test_a_deadline_passes_once(
    clock: TurnedClock, deadline: Deadline, passed: list[float]
) -> None:
    deadline.set(1)

    for now in (0.5, 1.0, 2.0, 3.0):
        clock.turn_to(now)

    assert passed == [1.0]


def test_a_deadline_moved_later_passes_later(
    clock: TurnedClock, deadline: Deadline, passed: list[float]
) -> None:
    deadline.set(1)
    clock.turn_to(0.5)
    deadline.set(1)

    for now in (1.0, 1.5):
        clock.turn_to(now)

    assert passed == [1.5]


def test_a_deadline_moved_earlier_passes_earlier(
    clock: TurnedClock, deadline: Deadline, passed: list[float]
) -> None:
    deadline.set(10)
    deadline.set(1)

    clock.turn_to(1.0)

    assert (passed, clock.pending) == ([1.0], [])


def test_a_cleared_deadline_does_not_pass(
    clock: TurnedClock, deadline: Deadline, passed: list[float]
) -> None:
    deadline.set(1)
    deadline.clear()

    clock.turn_to(2.0)

    assert (passed, clock.pending) == ([], [])


def test_moving_a_deadline_later_needs_no_second_timer(
    clock: TurnedClock, deadline: Deadline
) -> None:
    for step in range(1000):
        clock.turn_to(step / 10_000)
        deadline.set(1)
        deadline.clear()

    assert len(clock.timers) == 1


def test_a_cancelled_deadline_leaves_no_timer(clock: TurnedClock, deadline: Deadline) -> None:
    deadline.set(1)

    deadline.cancel()

    assert clock.pending == []
