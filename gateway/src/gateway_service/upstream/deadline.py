"""A timer that is cheap to move: most deadlines are moved or dropped before they pass."""

import asyncio
import math
from collections.abc import Callable

# An event loop's clock may fire a timer this much early; going round again would gain nothing.
_CLOCK_RESOLUTION = 0.002


class Deadline:
    """Calls `action` once the time last set has passed.

    Moving it later costs no timer: the pending one finds the newer time when it fires.
    """

    __slots__ = ("_action", "_at", "_fires_at", "_handle", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop, action: Callable[[], None]) -> None:
        self._loop = loop
        self._action = action
        self._at = math.inf
        self._fires_at = math.inf
        self._handle: asyncio.TimerHandle | None = None

    def set(self, seconds: float) -> None:
        """Move the deadline to `seconds` from now."""
        self._at = at = self._loop.time() + seconds
        if at < self._fires_at:
            self._arm(at)

    def clear(self) -> None:
        """Have no deadline until the next `set`."""
        self._at = math.inf

    def cancel(self) -> None:
        """Drop the timer itself; for when its owner is gone."""
        self._at = self._fires_at = math.inf
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _arm(self, at: float) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._fires_at = at
        self._handle = self._loop.call_at(at, self._fire)

    def _fire(self) -> None:
        self._handle = None
        self._fires_at = math.inf
        if self._at == math.inf:
            return
        if self._loop.time() + _CLOCK_RESOLUTION < self._at:
            self._arm(self._at)
            return
        self._at = math.inf
        self._action()
