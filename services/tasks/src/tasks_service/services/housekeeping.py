"""What is removed because its time is over, and when that is."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from tasks_service.services.idempotency import KEPT, purge_keys
from tasks_service.services.trash import purge_old_lists, purge_old_tasks

_IN_THE_TRASH = timedelta(days=30)


class Duty(NamedTuple):
    """Something to remove once it is `kept` for so long.

    `purge` removes what is from before an instant, in one transaction of its own and so many rows
    at most, and returns how many there were: with none it is done for now. Any number of
    processes may do it at once.
    """

    name: str
    purge: Callable[[AsyncSession, datetime, int], Awaitable[int]]
    kept: timedelta


DUTIES = (
    # Lists after the tasks in them, which would go along all at once.
    Duty("trashed tasks", purge_old_tasks, _IN_THE_TRASH),
    Duty("trashed lists", purge_old_lists, _IN_THE_TRASH),
    Duty("idempotency keys", purge_keys, KEPT),
)
