"""How many tasks a user has: the numbers that the database keeps as tasks are written."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    Uuid,
    any_,
    bindparam,
    cast,
    func,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import col

from tasks_service.models import TaskCount
from tasks_service.models.column_types import PriorityRank
from tasks_service.services.task_rows import OWNER

# The filters of tasks whose numbers are kept; they take the same parameters.
_FILTERS: Mapping[str, ColumnElement[bool]] = {
    "open": true(),
    "completed": true(),
    "priorities": col(TaskCount.priority)
    == any_(bindparam("priorities", type_=ARRAY(PriorityRank))),
    "list_id": col(TaskCount.list_id) == bindparam("list_id", type_=Uuid()),
    "no_list_id": col(TaskCount.list_id).is_(None),
}


def is_kept(filters: Collection[str]) -> bool:
    """Tell whether the number of the tasks that these filters keep is known."""
    return _FILTERS.keys() >= set(filters)


def kept_number(filters: Collection[str] = ()) -> Select[Any]:
    """Select the number of the owner's tasks that these filters keep, of which there is one."""
    number: Any = col(TaskCount.open) + col(TaskCount.completed)
    if "open" in filters:
        number = col(TaskCount.open)
    elif "completed" in filters:
        number = col(TaskCount.completed)
    # PostgreSQL's sum of integers is no integer.
    return select(cast(func.coalesce(func.sum(number), 0), BigInteger)).where(
        col(TaskCount.user_id) == OWNER, *(_FILTERS[name] for name in sorted(filters))
    )


NUMBER_OF_TASKS = kept_number().scalar_subquery()
