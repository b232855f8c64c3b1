"""What a write comes to for the recurrence of a task: it starts, goes on, or ends."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tasks_service.models import Task
from tasks_service.schemas.recurrence_rule import parse_rule
from tasks_service.services.account import Stamp
from tasks_service.services.completion import record_completion
from tasks_service.services.recurrence import (
    Occurrence,
    next_occurrence,
    occurrence_of,
    require_recurring,
)
from tasks_service.services.task_due import require_one_due

# A change of any of these starts anew.
_START = {"recurrence", "due_on", "due_at", "time_zone"}


def first_of(task: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns beside the due of a task that starts with it.

    Raises `ValidationFailedError` if it is due twice, or not as its rule needs.
    """
    require_one_due(task)
    if task["recurrence"] is None:
        return {"recurrence_local": None, "recurrence_number": 1}
    first = occurrence_of(task)
    require_recurring(parse_rule(task["recurrence"]), first)
    return _beside(first)


async def with_recurrence(
    session: AsyncSession,
    user_id: str,
    current: Mapping[str, Any],
    changes: dict[str, Any],
    stamp: Stamp,
) -> dict[str, Any]:
    """Return the changes to a task with all that follows from them.

    A new due or rule starts anew; what completes a recurring task is recorded, and leads to its
    next due instead as long as there is one. Raises `ValidationFailedError`.
    """
    task = {**current, **changes}
    if changes.keys() & _START:
        changes = changes | first_of(task)
    if not changes.get("completed") or task["recurrence"] is None:
        return changes
    await record_completion(session, user_id, task["id"], task, stamp)
    due = await next_due(session, user_id, task | changes, completed_at=stamp.at)
    if due is None:
        return changes
    return {name: value for name, value in changes.items() if name != "completed"} | due


async def next_due(
    session: AsyncSession,
    user_id: str,
    task: Mapping[str, Any],
    completed_at: datetime | None = None,
) -> dict[str, Any] | None:
    """Return the due of a recurring task after this one, with the columns beside it.

    `task` may have these columns already. Without a completion this one is skipped. Returns None
    when the rule has ended.
    """
    beside = task
    if "recurrence_number" not in task:
        beside = await _stored_beside(session, user_id, task["id"])
    following = next_occurrence(
        parse_rule(task["recurrence"]),
        occurrence_of(task, local=beside["recurrence_local"], number=beside["recurrence_number"]),
        completed_at=completed_at,
        recurrence_from=task["recurrence_from"],
    )
    if following is None:
        return None
    field = "due_on" if following.at is None else "due_at"
    return {field: following.due, **_beside(following)}


def _beside(occurrence: Occurrence) -> dict[str, Any]:
    return {"recurrence_local": occurrence.local, "recurrence_number": occurrence.number}


async def _stored_beside(session: AsyncSession, user_id: str, task_id: UUID) -> Mapping[str, Any]:
    columns = (col(Task.recurrence_local), col(Task.recurrence_number))
    owned = (col(Task.user_id) == user_id, col(Task.id) == task_id)
    return dict((await session.execute(select(*columns).where(*owned))).mappings().one())
