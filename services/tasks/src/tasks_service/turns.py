"""Whose turn it is to have a connection."""

import asyncio
from types import TracebackType


class Turns:
    """Lets in at most `number` at once, in the order they came; used with `async with`.

    The pool alone gives a connection that has come free to whoever asks at that moment, while
    others wait, some of them for long. `TimeoutError` is raised after waiting for `seconds`.
    """

    def __init__(self, number: int, seconds: float) -> None:
        self._free = asyncio.Semaphore(number)
        self._seconds = seconds

    async def __aenter__(self) -> None:
        if not self._free.locked():
            await self._free.acquire()
            return
        async with asyncio.timeout(self._seconds):
            await self._free.acquire()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._free.release()
