"""What the service does by itself, every now and then: to remove what is past its time."""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

import structlog
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from service_kit.clock import utc_now
from service_kit.meanwhile import meanwhile
from tasks_service.database_failures import DATABASE_ERRORS
from tasks_service.services.housekeeping import DUTIES, Duty

# So many rows at once: nobody's writes wait for long.
_BATCH = 500
_log = structlog.get_logger(__name__)


def kept_tidy(
    sessions: async_sessionmaker[AsyncSession], seconds: float, duties: Sequence[Duty] = DUTIES
) -> AbstractAsyncContextManager[None]:
    """Do the duties every so many seconds for as long as this lasts, the first time after them."""
    return meanwhile(_work(sessions, seconds, duties))


async def _work(
    sessions: async_sessionmaker[AsyncSession], seconds: float, duties: Sequence[Duty]
) -> None:
    while True:
        await asyncio.sleep(seconds)
        for duty in duties:
            try:
                await _do(sessions, duty)
            except DATABASE_ERRORS as error:
                # It keeps until the next time, as does what this duty has not come to.
                reason = type(error).__name__
                _log.warning("housekeeping_failed", duty=duty.name, reason=reason)
            except Exception:  # noqa: BLE001 - a mistake in one duty must not end the others
                _log.exception("housekeeping_failed", duty=duty.name)


async def _do(sessions: async_sessionmaker[AsyncSession], duty: Duty) -> None:
    removed = 0
    async with sessions() as session:
        while count := await duty.purge(session, utc_now() - duty.kept, _BATCH):
            removed += count
    if removed:
        _log.info("housekeeping_done", duty=duty.name, removed=removed)
