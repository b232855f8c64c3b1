"""The streams of this process: whose changes they show, and when there is something to show."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from service_kit.meanwhile import meanwhile
from tasks_service.database_failures import DATABASE_ERRORS
from tasks_service.errors import TooManyStreamsError
from tasks_service.services.account import Writes, last_cursors
from tasks_service.services.change_feed import ChangeFeed
from tasks_service.services.change_source import ChangeSource
from tasks_service.services.event_stream import EventStream
from tasks_service.services.notices import Notice, Notices, user_key
from tasks_service.services.sync_cursor import SyncCursor

STREAMS_PER_USER = 20
# Requests must not wait for a connection because many streams have something to read.
_READ_AT_ONCE = 4
_USERS_AT_ONCE = 1000

_logger = structlog.get_logger(__name__)


class _Followed:
    """A user with open streams."""

    def __init__(self, user_id: str, source: ChangeSource) -> None:
        self.user_id = user_id
        self.source = source
        self.feed = ChangeFeed(source, self._wake)
        self.streams: set[EventStream] = set()

    def _wake(self) -> None:
        for stream in self.streams:
            stream.wake()


class Events:
    """Opens streams, and keeps them going. Use inside `async with running()`.

    The database is looked at every `heartbeat` seconds, in case a notice was lost, and every
    `poll` seconds while none are heard.
    """

    def __init__(
        self,
        sessions: async_sessionmaker[AsyncSession],
        notices: Notices,
        *,
        heartbeat: float,
        poll: float,
    ) -> None:
        self.heartbeat = heartbeat
        self._poll = poll
        self._sessions = sessions
        self._notices = notices
        self._turns = asyncio.Semaphore(_READ_AT_ONCE)
        self._followed: dict[str, _Followed] = {}
        self._look_now = asyncio.Event()
        self._stopped = False

    async def open(self, user_id: str, cursor: str | None) -> EventStream:
        """Return a stream of what happens after a cursor, without one from now on; `close` it.

        Raises `InvalidCursorError` for what is no cursor, and `TooManyStreamsError`.
        """
        position = None if cursor is None else SyncCursor.parse(cursor)
        key = user_key(user_id)
        followed = self._followed.get(key)
        if followed is None:
            source = ChangeSource(self._sessions, self._turns, user_id)
            followed = self._followed[key] = _Followed(user_id, source)
        elif len(followed.streams) >= STREAMS_PER_USER:
            raise TooManyStreamsError
        stream = EventStream(followed.feed, followed.source, lambda it: self._close(key, it))
        followed.streams.add(stream)
        try:
            # Known by now to whoever brings news: what is written meanwhile is not missed.
            await stream.begin(position)
        except BaseException:
            stream.close()
            raise
        if self._stopped:
            stream.end()
        return stream

    def announce(self, user_id: str, writes: Writes, client_id: str | None) -> None:
        """Let every stream of the user know of writes that are committed."""
        if writes.first is None or writes.last is None:
            return
        notice = Notice(user_key(user_id), writes.first, writes.last, client_id, writes.epoch)
        self._hear(notice)
        self._notices.tell(notice)

    def stop(self) -> None:
        """End every stream, those to come too."""
        self._stopped = True
        for followed in self._followed.values():
            for stream in followed.streams:
                stream.end()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Hear notices, and look into the database where none come."""
        async with (
            self._notices.running(self._hear, self._look_now.set),
            meanwhile(self._look_forever()),
        ):
            try:
                yield
            finally:
                for followed in self._followed.values():
                    followed.feed.close()

    def _close(self, key: str, stream: EventStream) -> None:
        followed = self._followed[key]
        followed.streams.discard(stream)
        if not followed.streams:
            followed.feed.close()
            del self._followed[key]

    def _hear(self, notice: Notice) -> None:
        followed = self._followed.get(notice.user)
        if followed is None:
            return
        if notice.client_id is not None:
            versions = range(notice.first, notice.last + 1)
            followed.feed.remember(notice.epoch, versions, notice.client_id)
        followed.feed.notice(notice.epoch, notice.last)

    async def _look_forever(self) -> None:
        looked, heard = 0.0, True
        clock = asyncio.get_running_loop().time
        while True:
            try:
                async with asyncio.timeout(self._poll):
                    await self._look_now.wait()
            except TimeoutError:
                was_heard, heard = heard, await self._notices.are_heard()
                if heard and was_heard and clock() < looked + self.heartbeat:
                    continue
            self._look_now.clear()
            looked = clock()
            try:
                await self._look()
            except DATABASE_ERRORS as error:
                _logger.warning("changes_unread", reason=type(error).__name__)
            except Exception:
                # Without this task the streams would wait for ever, and nobody would know.
                _logger.exception("changes_unread")

    async def _look(self) -> None:
        users = [followed.user_id for followed in self._followed.values()]
        for start in range(0, len(users), _USERS_AT_ONCE):
            async with self._turns, self._sessions() as session:
                found = await last_cursors(session, users[start : start + _USERS_AT_ONCE])
            for user_id, cursor in found.items():
                followed = self._followed.get(user_key(user_id))
                if followed is not None:
                    followed.feed.notice(cursor.epoch, cursor.version)
