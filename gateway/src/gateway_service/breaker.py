"""Leaving a part alone that fails: waiting for it would keep everybody, and it, from recovering."""

from collections.abc import Callable

_FAILURES_IN_A_ROW = 5
PAUSE_SECONDS = 1.0


class Breaker:
    """Opens after some failures in a row, and then lets one request try in each pause.

    `clock` tells seconds that only go forward.
    """

    __slots__ = ("_clock", "_failures", "_next_try")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures = 0
        self._next_try = 0.0

    def allows(self) -> bool:
        """Tell whether to ask the part now; who is told so should say how it went."""
        if self._failures < _FAILURES_IN_A_ROW:
            return True
        now = self._clock()
        if now < self._next_try:
            return False
        self._next_try = now + PAUSE_SECONDS
        return True

    def succeeded(self) -> None:
        """Notice that the part does its work."""
        self._failures = 0

    def failed(self) -> None:
        """Notice that it does not."""
        self._failures += 1
        self._next_try = self._clock() + PAUSE_SECONDS
