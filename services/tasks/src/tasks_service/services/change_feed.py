"""One user's changes as events, read once for all the streams that show them."""

import asyncio
import json
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby

import structlog

from tasks_service.database_failures import DATABASE_ERRORS
from tasks_service.errors import InvalidCursorError, ResyncRequiredError
from tasks_service.schemas.sync import AnyChange, ChangeEvent
from tasks_service.services.change_source import ChangeSource
from tasks_service.services.sync import Changes
from tasks_service.services.sync_cursor import SyncCursor

# Who lags behind by more than this reads for itself.
_KEPT_BYTES = 256 * 1024
_KEPT_CLIENTS = 1000
_RETRY_SECONDS = 1.0

_logger = structlog.get_logger(__name__)


class ChangeFeed:
    """The changes after `floor`, up to `head`, as far as they are read; None before the first.

    `wake` is called when there are more, or when those who follow have to read for themselves.
    """

    def __init__(self, source: ChangeSource, wake: Callable[[], None]) -> None:
        self._source = source
        self._wake = wake
        self._target = 0
        self._reading: asyncio.Task[None] | None = None
        self._kept: deque[tuple[int, bytes]] = deque()
        self._kept_bytes = 0
        self._clients: OrderedDict[int, str] = OrderedDict()
        self.floor: int | None = None
        self.head = 0

    def begin(self, version: int) -> None:
        """Follow from here on, unless it does already."""
        if self.floor is None:
            self.floor = self.head = version
            self._go_on()

    def notice(self, version: int) -> None:
        """Read up to a version, if that is not done yet."""
        self._target = max(self._target, version)
        self._go_on()

    def remember(self, versions: Iterable[int], client_id: str) -> None:
        """Keep who took some versions."""
        for version in versions:
            self._clients[version] = client_id
        while len(self._clients) > _KEPT_CLIENTS:
            self._clients.popitem(last=False)

    def after(self, version: int) -> list[tuple[int, bytes]] | None:
        """Return each later version with its events; None if some of them are not kept."""
        if self.floor is None or version < self.floor:
            return None
        return [kept for kept in self._kept if kept[0] > version]

    def encode(
        self, changes: Sequence[AnyChange], *, whole: bool = True
    ) -> Iterator[tuple[int, bytes]]:
        """Yield each version with its events, of which the last has it for its id.

        Unless the changes are `whole`, the last version may have more of them.
        """
        unfinished = None if whole else max((change.version for change in changes), default=None)
        for version, group in groupby(changes, key=lambda change: change.version):
            client_id = self._clients.get(version)
            events = [_event(change, client_id) for change in group]
            if version != unfinished:
                # With an id before the last a client would go on behind what it has not seen.
                events.insert(-1, b"id: %d\n" % version)
            yield version, b"".join(events)

    def close(self) -> None:
        """End the reading under way."""
        if self._reading is not None:
            self._reading.cancel()

    def _go_on(self) -> None:
        if self.floor is not None and self._target > self.head and self._reading is None:
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

    async def _read_up(self) -> None:
        while self._target > self.head:
            try:
                page = await self._source.after(SyncCursor.at(self.head))
            except DATABASE_ERRORS as error:
                _logger.warning("changes_unread", reason=type(error).__name__)
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            except (InvalidCursorError, ResyncRequiredError):
                self._lose(self._target)
            else:
                self._keep(page)
            self._wake()

    def _keep(self, page: Changes) -> None:
        if page.has_more:
            # Too much to hold: let each stream read it at its own pace.
            self._lose(page.last)
            return
        for version, events in self.encode(page.changes):
            self._kept.append((version, events))
            self._kept_bytes += len(events)
        self.head = max(page.last, self.head)
        while self._kept_bytes > _KEPT_BYTES:
            self.floor, events = self._kept.popleft()
            self._kept_bytes -= len(events)

    def _lose(self, version: int) -> None:
        self._kept.clear()
        self._kept_bytes = 0
        self.floor = self.head = version


def _event(change: AnyChange, client_id: str | None) -> bytes:
    event = ChangeEvent.model_construct(change=change, client_id=client_id)
    return f"event: change\ndata: {event.model_dump_json()}\n\n".encode()


def cursor_event(name: str, version: int) -> bytes:
    """Return an event that tells where its stream stands."""
    data = json.dumps({"cursor": str(version)})
    return f"id: {version}\nevent: {name}\ndata: {data}\n\n".encode()
