"""What has to happen at once when a process is told to stop.

A server waits for what is being answered before it lets the application end; what is answered
without end has to be told earlier.
"""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def on_stop(action: Callable[[], None]) -> Iterator[None]:
    """Call `action` in the running loop when SIGTERM or SIGINT comes, and let the server do so too.

    Use it in the main thread, where Python takes signals.
    """
    loop = asyncio.get_running_loop()
    before: dict[int, Any] = {number: signal.getsignal(number) for number in _SIGNALS}

    def stop(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(action)
        handler = before[number]
        if callable(handler):
            handler(number, frame)
        elif handler == signal.SIG_DFL:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            # A server may have put back its own already.
            if signal.getsignal(number) is stop:
                signal.signal(number, handler)
