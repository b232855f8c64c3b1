"""Tasks by their words: whichever is cheaper of the index of words or trying each task."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    String,
    bindparam,
    case,
    false,
    func,
    literal_column,
    select,
    true,
)
from sqlmodel import col

from tasks_service.models import Account, Task
from tasks_service.reads import Query, Reads
from tasks_service.services.kept_number import NUMBER_OF_TASKS
from tasks_service.services.keyset import Keyset
from tasks_service.services.share import met_soon
from tasks_service.services.task_rows import OWNER

# So many of the first tasks on the way tell how common the words are: enough to see what one in a
# hundred has, and no longer than a page. What a user is busy with now may be common there and
# nowhere else, so some of all tasks, those at so many places of equal distance, have to agree.
_FIRST, _PLACES = 300, 100

# A subquery is worked out once; a plan for any words would call the function for every row.
WORDS: Any = select(func.user_query(OWNER, bindparam("q", type_=String()))).scalar_subquery()


async def word_filters(
    reads: Reads, user_id: str, words: str | None, wanted: int, order: Keyset
) -> dict[str, Any]:
    """Return the filter that keeps the user's tasks with all of these words, with its value.

    `wanted` is how many of them are to be found, the first ones in an order.
    """
    if words is None:
        return {}
    parameters = {"user_id": user_id, "q": words}
    ((total, tried, found),) = await reads.rows(_among_first(order), parameters)
    common = met_soon(found, tried, total, wanted)
    if common:
        ((places, hits),) = await reads.rows(_AMONG_ALL, parameters)
        # They are fewer where the same tasks were written again and again: these tell nothing.
        if places > _PLACES / 2:
            # Nor does one hit, as what lies closer together than two places has no more.
            common = met_soon(found, tried, total * (hits - 1) / places, wanted)
    return {"common_words" if common else "words": words}


@cache
def _among_first(order: Keyset) -> Query:
    """Return the query for how many tasks there are, how many are tried, and how many match."""
    first = order.ordered(_searched()).limit(_FIRST).subquery()
    found = func.count().filter(first.c.search.op("@@")(WORDS))
    return Query(select(NUMBER_OF_TASKS, func.count(), found).select_from(first))


def _among_all() -> Select[Any]:
    """Select how many tasks are at the places, and how many of these match."""
    places = func.generate_series(1, _PLACES).table_valued("place").render_derived()
    last = select(col(Account.last_version)).where(col(Account.user_id) == OWNER).scalar_subquery()
    # Each write takes one version, so that versions are about as evenly spread as the tasks.
    version = col(Task.version)
    task = (
        _searched()
        .add_columns(version)
        .where(version > last * (places.c.place - 1) // _PLACES)
        .order_by(version, col(Task.id))
        .limit(1)
        .lateral()
    )
    number: Any = func.count(task.c.version.distinct())
    hit = task.c.search.op("@@")(WORDS)
    return select(number, number.filter(hit)).select_from(places, task)


def _searched() -> Select[Any]:
    return select(col(Task.search)).where(
        col(Task.user_id) == OWNER, col(Task.deleted_at).is_(None)
    )


_AMONG_ALL = Query(_among_all())
_HAS_WORDS = col(Task.search).op("@@")(WORDS)
# Set apart, with nothing else to go by: PostgreSQL takes any words for those of one task in 200,
# and would read an index of all of the user's tasks besides or instead.
_MATCHES = (
    select(Task.__table__)  # type: ignore[attr-defined]  # SQLModel's own stubs lack it.
    .where(_HAS_WORDS, col(Task.deleted_at).is_(None))
    .offset(literal_column("0"))
    .cte("task")
)
WORD_FILTERS: Mapping[str, ColumnElement[bool]] = {
    "words": true(),
    # So that PostgreSQL neither sees what the index of words could answer, nor takes it for rare.
    "common_words": case((_HAS_WORDS, true()), else_=false()),
}


def among_matches(statement: Select[Any]) -> Select[Any]:
    """Let a statement see no tasks but those that the index of words leads to.

    They go by the name of the table. Tasks of users whose words begin alike are among them.
    """
    return statement.add_cte(_MATCHES)
