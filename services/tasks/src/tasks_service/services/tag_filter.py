"""Tasks by their tags: whichever is cheaper of reading the tasks of a tag or trying each task."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    Text,
    Uuid,
    any_,
    bindparam,
    false,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import col

from tasks_service.models import Tag, Task, TaskTag
from tasks_service.reads import Query, Reads
from tasks_service.services.kept_number import NUMBER_OF_TASKS
from tasks_service.services.share import met_soon
from tasks_service.services.task_rows import OWNER


async def tag_filters(
    reads: Reads, user_id: str, names: Sequence[str], wanted: int
) -> dict[str, Any]:
    """Return the filters that keep the user's tasks with all of these tags, with their values.

    `wanted` is how many of them are to be found.
    """
    if not names:
        return {}
    keys = sorted({name.casefold() for name in names})
    tags = await reads.rows(_FOUND, {"user_id": user_id, "tag_keys": keys})
    if len(tags) < len(keys):
        return {"no_such_tag": True}
    (rarest, number, total), *others = tags
    if met_soon(number, total, number, wanted):
        return {"tags": [tag["id"] for tag in tags]}
    rest = {"tags": [tag["id"] for tag in others]} if others else {}
    return {"rare_tag": rarest, **rest}


def _found() -> Select[Any]:
    keys = bindparam("tag_keys", type_=ARRAY(Text))
    return (
        select(col(Tag.id), col(Tag.task_count), NUMBER_OF_TASKS)
        .where(col(Tag.user_id) == OWNER, col(Tag.key) == any_(keys))
        .order_by(col(Tag.task_count))
    )


def _tasks_of(tag_id: Any) -> Select[Any]:  # noqa: ANN401 - a parameter or a column of ids
    return select(col(TaskTag.task_id)).where(
        col(TaskTag.user_id) == OWNER, col(TaskTag.tag_id) == tag_id
    )


def _has_all() -> ColumnElement[bool]:
    wanted: Any = bindparam("tags", type_=ARRAY(Uuid))
    # No EXISTS, which would be turned into a join in the order PostgreSQL likes.
    links = _tasks_of(any_(wanted)).where(col(TaskTag.task_id) == col(Task.id))
    enough = links.with_only_columns(func.count() == func.cardinality(wanted)).correlate(Task)
    return enough.scalar_subquery().is_(True)


def _among_few() -> ColumnElement[bool]:
    # Materialised, so that it is read first and not turned around.
    rare = _tasks_of(bindparam("rare_tag", type_=Uuid()))
    tasks = rare.cte("tagged").prefix_with("MATERIALIZED")
    return col(Task.id).in_(select(tasks.c.task_id))


_FOUND = Query(_found())
TAG_FILTERS: Mapping[str, ColumnElement[bool]] = {
    "tags": _has_all(),
    "rare_tag": _among_few(),
    "no_such_tag": false(),
}
