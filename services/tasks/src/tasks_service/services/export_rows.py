"""What there is to export of a user, by table."""

from typing import Any

from sqlalchemy import Select, and_, select
from sqlmodel import col

from tasks_service.models import Completion, Tag, Task, TaskList
from tasks_service.services.task_rows import all_of

_BESIDE = (col(Task.recurrence_local), col(Task.recurrence_number))


def exported_tasks(user_id: str) -> Select[*tuple[Any, ...]]:
    """Select a user's tasks, the trash included."""
    return all_of(user_id).add_columns(*_BESIDE)


def exported_tasks_in_lists(user_id: str) -> Select[*tuple[Any, ...]]:
    """Select the same, and as `list` the name of the list; None for one in the trash too."""
    in_list = and_(
        col(TaskList.user_id) == user_id,
        col(TaskList.id) == col(Task.list_id),
        col(TaskList.deleted_at).is_(None),
    )
    named = exported_tasks(user_id).add_columns(col(TaskList.name).label("list"))
    return named.outerjoin_from(Task, TaskList, in_list)


def live_tasks(user_id: str) -> Select[*tuple[Any, ...]]:
    """Select a user's tasks that are not in the trash."""
    return exported_tasks(user_id).where(col(Task.deleted_at).is_(None))


def zones_of_live_tasks(user_id: str) -> Select[*tuple[Any, ...]]:
    """Select the time zones these have."""
    zones = select(col(Task.time_zone)).where(
        col(Task.user_id) == user_id,
        col(Task.deleted_at).is_(None),
        col(Task.time_zone).is_not(None),
    )
    return zones.distinct().order_by(col(Task.time_zone))


def exported_tags(user_id: str) -> Select[*tuple[Any, ...]]:
    """Select a user's tags."""
    return select(
        col(Tag.id), col(Tag.name), col(Tag.version), col(Tag.created_at), col(Tag.updated_at)
    ).where(col(Tag.user_id) == user_id)


def exported_completions(user_id: str) -> Select[*tuple[Any, ...]]:
    """Select the completions of a user's tasks."""
    return select(
        col(Completion.id),
        col(Completion.task_id),
        col(Completion.due_on),
        col(Completion.due_at),
        col(Completion.completed_at),
        col(Completion.version),
    ).where(col(Completion.user_id) == user_id)
