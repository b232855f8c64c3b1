"""Where the events of one user come from: the database, asked in turns."""

import asyncio

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from tasks_service.services.account import last_cursor
from tasks_service.services.sync import Changes, read_changes
from tasks_service.services.sync_cursor import SyncCursor

_PAGE = 200


class ChangeSource:
    """Reads one user's changes; a connection is held meanwhile only, and in turns with others."""

    def __init__(
        self, sessions: async_sessionmaker[AsyncSession], turns: asyncio.Semaphore, user_id: str
    ) -> None:
        self._sessions = sessions
        self._turns = turns
        self._user_id = user_id

    async def after(self, cursor: SyncCursor) -> Changes:
        """Return the next changes. Raises `InvalidCursorError` and `ResyncRequiredError`."""
        async with self._turns, self._sessions() as session:
            return await read_changes(session, self._user_id, cursor, _PAGE)

    async def last(self) -> SyncCursor:
        """Return where the user's writes stand."""
        async with self._turns, self._sessions() as session:
            return await last_cursor(session, self._user_id)
