"""Tasks by their tags: whichever is cheaper of reading the tasks of a tag or trying each task."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, false, func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tasks_service.models import Tag, Task, TaskTag

# From so many tasks on a tag is found soon enough by trying one task after the other, in order.
# PostgreSQL cannot choose by itself: its statistics know the average tag, not this one.
_MANY = 5000


async def tagged_with(
    session: AsyncSession, user_id: str, names: Sequence[str]
) -> list[ColumnElement[bool]]:
    """Return the conditions that keep the user's tasks with all of these tags."""
    if not names:
        return []
    keys = {name.casefold() for name in names}
    few = _tasks_of(user_id, col(Tag.id)).correlate(Tag).limit(_MANY).lateral()
    number = select(func.count()).select_from(few).scalar_subquery()
    found = await session.execute(
        select(col(Tag.id), number.label("number"))
        .where(col(Tag.user_id) == user_id, col(Tag.key).in_(keys))
        .order_by("number")
    )
    tags = found.all()
    if len(tags) < len(keys):
        return [false()]
    conditions = [_has(user_id, tag_id) for tag_id, _ in tags]
    rarest, number_of_tasks = tags[0]
    if number_of_tasks < _MANY:
        # Materialised, so that it is read first and not turned around.
        tasks = _tasks_of(user_id, rarest).cte("tagged").prefix_with("MATERIALIZED")
        conditions[0] = col(Task.id).in_(select(tasks.c.task_id))
    return conditions


def _tasks_of(user_id: str, tag_id: Any) -> Select[Any]:  # noqa: ANN401 - an id or a column of ids
    return select(col(TaskTag.task_id)).where(
        col(TaskTag.user_id) == user_id, col(TaskTag.tag_id) == tag_id
    )


def _has(user_id: str, tag_id: Any) -> ColumnElement[bool]:  # noqa: ANN401 - as above
    # No EXISTS, which would be turned into a join in the order PostgreSQL likes.
    link = _tasks_of(user_id, tag_id).where(col(TaskTag.task_id) == col(Task.id))
    return link.with_only_columns(literal(value=True)).correlate(Task).scalar_subquery().is_(True)
