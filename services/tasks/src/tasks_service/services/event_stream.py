"""One client's stream of changes: from where it stood to what happens next."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import structlog

from tasks_service.database_failures import DATABASE_ERRORS
from tasks_service.errors import InvalidCursorError, ResyncRequiredError
from tasks_service.services.change_feed import ChangeFeed, cursor_event
from tasks_service.services.change_source import ChangeSource
from tasks_service.services.sync_cursor import NOTHING, SyncCursor

_RETRY_SECONDS = 1.0

_logger = structlog.get_logger(__name__)


class EventStream:
    """What to send to one client; `over` tells that nothing more is to come.

    `on_close` is called when it closes.
    """

    def __init__(
        self, feed: ChangeFeed, source: ChangeSource, on_close: Callable[["EventStream"], None]
    ) -> None:
        self._feed = feed
        self._source = source
        self._on_close = on_close
        self._known = NOTHING
        self._catching_up = True
        self._announced = False
        self._first = b""
        self._news = asyncio.Event()
        self.over = False

    async def begin(self, cursor: SyncCursor | None) -> None:
        """Read the first changes after a cursor; without one begin where the user's writes are."""
        if cursor is None:
            self._first = self._arrive("ready", await self._source.last())
        else:
            self._known = cursor
            self._first = await self._catch_up()

    async def take(self) -> bytes:
        """Return the events that are new, none if there are none; `wait` for the next then."""
        self._news.clear()
        first, self._first = self._first, b""
        if first:
            return first
        if not self._catching_up:
            kept = self._feed.after(self._known)
            if kept is not None:
                if kept:
                    self._known = kept[-1][0]
                return b"".join(events for _, events in kept)
            self._catching_up = True
        while not self.over:
            try:
                return await self._catch_up()
            except DATABASE_ERRORS as error:
                _logger.warning("changes_unread", reason=type(error).__name__)
                await asyncio.sleep(_RETRY_SECONDS)
        return b""

    async def wait(self, seconds: float) -> bool:
        """Wait for something to take, or the end; False if `seconds` passed without."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                return await self._news.wait()
        return False

    def wake(self) -> None:
        """End the wait."""
        self._news.set()

    def end(self) -> None:
        """Have nothing more to send."""
        self.over = True
        self.wake()

    def close(self) -> None:
        """Be forgotten; whoever opened a stream must close it."""
        self.end()
        self._on_close(self)

    async def _catch_up(self) -> bytes:
        """Read for itself what the feed does not have, a page at a time."""
        try:
            page = await self._source.after(self._known)
        except (InvalidCursorError, ResyncRequiredError):
            return self._arrive("resync_required", await self._source.last())
        self._known = page.cursor
        events = b"".join(each for _, each in self._feed.encode(page))
        if page.has_more:
            return events
        return events + self._arrive(None if self._announced else "ready", page.last)

    def _arrive(self, event: str | None, at: SyncCursor) -> bytes:
        """Follow the feed from where the user's writes stand."""
        self._known = at
        self._catching_up = False
        self._announced = True
        self._feed.begin(at)
        return cursor_event(event, at) if event else b""
