"""The connections that exports are read over, and whose turn it is to have one."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from service_kit.shedding import OverloadedError
from tasks_service.errors import ExportRunningError
from tasks_service.turns import Turns


class ExportSessions:
    """Sessions that read as of one instant: one for each user, and at most `number` at once."""

    def __init__(self, engine: AsyncEngine, number: int, seconds: float) -> None:
        reading = engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        self._sessions = async_sessionmaker(reading, expire_on_commit=False)
        self._turns = Turns(number, seconds)
        self._users: set[str] = set()

    @asynccontextmanager
    async def session_of(self, user_id: str) -> AsyncIterator[AsyncSession]:
        """Give the session of a user's export, once it is its turn.

        Raises `ExportRunningError` if the user has one or waits for one, and `OverloadedError`
        when those of others are not done in time.
        """
        if user_id in self._users:
            raise ExportRunningError
        self._users.add(user_id)
        try:
            async with AsyncExitStack() as turn:
                try:
                    await turn.enter_async_context(self._turns)
                except TimeoutError:
                    raise OverloadedError from None
                async with self._sessions() as session:
                    yield session
        finally:
            self._users.remove(user_id)
