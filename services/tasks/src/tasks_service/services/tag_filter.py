"""Tasks by their tags: whichever is cheaper of reading the tasks of a tag or trying each task."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, Text, Uuid, any_, bindparam, case, false, select, true
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
    (rarest, number, total), *_ = tags
    if met_soon(number, total, number, wanted):
        return {"tags": keys}
    return {"rare_tag": rarest, "tags": keys}


def _found() -> Select[Any]:
    return (
        select(col(Tag.id), col(Tag.task_count), NUMBER_OF_TASKS)
        .where(col(Tag.user_id) == OWNER, col(Tag.key) == any_(_keys("tag_keys")))
        .order_by(col(Tag.task_count))
    )


def _keys(name: str) -> Any:  # noqa: ANN401 - a parameter goes wherever its column would
    return bindparam(name, type_=ARRAY(Text))


def _among_few() -> ColumnElement[bool]:
    rare = select(col(TaskTag.task_id)).where(
        col(TaskTag.user_id) == OWNER, col(TaskTag.tag_id) == bindparam("rare_tag", type_=Uuid())
    )
    # Materialised, so that it is read first and not turned around.
    tasks = rare.cte("tagged").prefix_with("MATERIALIZED")
    return col(Task.id).in_(select(tasks.c.task_id))


_FOUND = Query(_found())
TAG_FILTERS: Mapping[str, ColumnElement[bool]] = {
    # So that PostgreSQL does not take them for rare, and read all tasks to put these in order.
    "tags": case((col(Task.tag_keys).contains(_keys("tags")), true()), else_=false()),
    "rare_tag": _among_few(),
    "no_such_tag": false(),
}
