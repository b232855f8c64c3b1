"""A client that stays in step: it syncs, follows the events, and comes back when it is cut."""

import asyncio
from collections.abc import Callable

import httpx

from devkit.event_reader import Event, read_events
from devkit.mirror import Mirror

_EVENTS = "/api/v1/events"
_RETRY_SECONDS = 0.05


class Follower:
    """Keeps a mirror of what a user has.

    `cut` is asked after each event whether the line is to break there; `cuts` counts.
    """

    def __init__(self, client: httpx.AsyncClient, cut: Callable[[], bool] = lambda: False) -> None:
        self.mirror = Mirror(client)
        self.cuts = 0
        self.events = 0
        self._client = client
        self._cut = cut

    async def follow(self, until: Callable[["Follower"], bool]) -> None:
        """Stay in step until that is true after an event."""
        while not until(self):
            try:
                if self.mirror.cursor is None:
                    await self.mirror.sync()
                await self._read(until)
            except httpx.HTTPError:
                await asyncio.sleep(_RETRY_SECONDS)

    async def _read(self, until: Callable[["Follower"], bool]) -> None:
        headers = {"Last-Event-ID": self.mirror.cursor or "0"}
        async with self._client.stream("GET", _EVENTS, headers=headers) as answer:
            answer.raise_for_status()
            async for event in read_events(answer.aiter_raw(), self.mirror.cursor):
                await self._hear(event)
                if until(self):
                    return
                if self._cut():
                    self.cuts += 1
                    return

    async def _hear(self, event: Event) -> None:
        self.events += 1
        if event.name == "resync_required":
            self.mirror.objects.clear()
            self.mirror.cursor = None
            await self.mirror.sync()
        elif event.name == "change":
            self.mirror.apply(event.data["change"])
        if event.name in {"change", "ready"}:
            self.mirror.cursor = event.id
