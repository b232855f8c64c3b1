"""Work that goes on beside something else, and ends with it."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager

# Time enough for whoever heard it to end properly.
_CANCEL_AGAIN_SECONDS = 0.5


@asynccontextmanager
async def meanwhile(*works: Coroutine[object, object, None]) -> AsyncIterator[None]:
    """Let `works` go on for as long as this lasts."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield
    finally:
        # A client of Redis can lose a cancellation while it connects.
        while any(not task.done() for task in tasks):
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=_CANCEL_AGAIN_SECONDS)
