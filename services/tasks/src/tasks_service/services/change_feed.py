"""One user's changes as events, read once for all the streams that show them."""

import asyncio
import json
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby

import structlog

from tasks_service.database_failures import DATABASE_ERRORS
from tasks_service.errors import InvalidCursorError, ResyncRequiredError
from tasks_service.schemas.sync import AnyChange, ChangeEvent
from tasks_service.services.change_source import ChangeSource
from tasks_service.services.sync import Changes
from tasks_service.services.sync_cursor import NOTHING, SyncCursor

# Who lags behind by more than this reads for itself.
_KEPT_BYTES = 256 * 1024
_KEPT_CLIENTS = 1000
_RETRY_SECONDS = 1.0

_logger = structlog.get_logger(__name__)


class ChangeFeed:
    """The changes after `floor`, up to `head`, as far as they are read; None before the first.

    `wake` is called when there are more, or when those who follow have to read for themselves, as
    in another epoch.
    """

    def __init__(self, source: ChangeSource, wake: Callable[[], None]) -> None:
        self._source = source
        self._wake = wake
        self._target = NOTHING
        self._reading: asyncio.Task[None] | None = None
        self._kept: deque[tuple[SyncCursor, bytes]] = deque()
        self._kept_bytes = 0
        self._clients: OrderedDict[tuple[str | None, int], str] = OrderedDict()
        self.floor: int | None = None
        self.head = NOTHING

    def begin(self, head: SyncCursor) -> None:
        """Follow from here on, unless it does already."""
        if self.floor is None:
            self.floor, self.head = head.version, head
            self._go_on()

    def notice(self, epoch: str | None, version: int) -> None:
        """Read up to a version, if that is not done yet; without an epoch it is of the present."""
        epoch = epoch or self.head.epoch
        if epoch != self._target.epoch or version > self._target.version:
            self._target = SyncCursor.at(epoch, version)
        self._go_on()

    def remember(self, epoch: str | None, versions: Iterable[int], client_id: str) -> None:
        """Keep who took some versions."""
        for version in versions:
            self._clients[epoch or self.head.epoch, version] = client_id
        while len(self._clients) > _KEPT_CLIENTS:
            self._clients.popitem(last=False)

    def after(self, known: SyncCursor) -> list[tuple[SyncCursor, bytes]] | None:
        """Return each later version with its events; None if some of them are not kept."""
        # Who knew nothing began before the first epoch, or is behind the floor.
        of_ours = known.epoch in {None, self.head.epoch}
        if self.floor is None or not of_ours or known.version < self.floor:
            return None
        return [kept for kept in self._kept if kept[0].version > known.version]

    def encode(self, page: Changes) -> Iterator[tuple[SyncCursor, bytes]]:
        """Yield the cursor of each version with its events, of which the last has it for its id.

        Of the last version there may be more on the next page.
        """
        epoch = page.last.epoch
        unfinished = page.cursor.version if page.has_more else None
        for version, group in groupby(page.changes, key=lambda change: change.version):
            cursor = SyncCursor.at(epoch, version)
            client_id = self._clients.get((epoch, version))
            events = [_event(change, client_id) for change in group]
            if version != unfinished:
                # With an id before the last a client would go on behind what it has not seen.
                events.insert(-1, f"id: {cursor}\n".encode())
            yield cursor, b"".join(events)

    def close(self) -> None:
        """End the reading under way."""
        if self._reading is not None:
            self._reading.cancel()

    def _go_on(self) -> None:
        if self.floor is not None and self._is_behind() and self._reading is None:
            self._reading = asyncio.create_task(self._read_up())
            self._reading.add_done_callback(self._stop_reading)

    def _stop_reading(self, done: asyncio.Task[None]) -> None:
        self._reading = None
        if done.cancelled():
            return
        if error := done.exception():
            _logger.error("changes_unread", exc_info=error)
        else:
            # There may have been a notice since it looked for the last time.
            self._go_on()

    def _is_behind(self) -> bool:
        there, here = self._target, self.head
        return there.version > (here.version if there.epoch == here.epoch else 0)

    async def _read_up(self) -> None:
        while self._is_behind():
            target = self._target
            try:
                page = await self._source.after(self.head)
            except DATABASE_ERRORS as error:
                _logger.warning("changes_unread", reason=type(error).__name__)
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            except (InvalidCursorError, ResyncRequiredError):
                self._lose(target)
            else:
                self._keep(page)
                if target is self._target and target.epoch != page.last.epoch:
                    # Word of an epoch that is over came late.
                    self._target = page.last
            self._wake()

    def _keep(self, page: Changes) -> None:
        if page.has_more:
            # Too much to hold: let each stream read it at its own pace.
            self._lose(page.last)
            return
        for cursor, events in self.encode(page):
            self._kept.append((cursor, events))
            self._kept_bytes += len(events)
        self.head = page.last
        while self._kept_bytes > _KEPT_BYTES:
            cursor, events = self._kept.popleft()
            self.floor = cursor.version
            self._kept_bytes -= len(events)

    def _lose(self, head: SyncCursor) -> None:
        self._kept.clear()
        self._kept_bytes = 0
        self.floor, self.head = head.version, head


def _event(change: AnyChange, client_id: str | None) -> bytes:
    event = ChangeEvent.model_construct(change=change, client_id=client_id)
    return f"event: change\ndata: {event.model_dump_json()}\n\n".encode()


def cursor_event(name: str, cursor: SyncCursor) -> bytes:
    """Return an event that tells where its stream stands."""
    data = json.dumps({"cursor": str(cursor)})
    return f"id: {cursor}\nevent: {name}\ndata: {data}\n\n".encode()
