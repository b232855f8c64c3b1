"""Tasks by their words: whichever is cheaper of the index of words or trying each task."""

from collections.abc import Mapping
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

from tasks_service.models import Task
from tasks_service.reads import Query, Reads
from tasks_service.services.share import NUMBER_OF_TASKS, met_soon
from tasks_service.services.task_rows import OWNER

# So many of the newest tasks tell how common the words are: enough to see what one in a hundred
# has, and no longer than a page.
_SAMPLE = 300

# A subquery is worked out once; a plan for any words would call the function for every row.
WORDS: Any = select(func.user_query(OWNER, bindparam("q", type_=String()))).scalar_subquery()


async def word_filters(
    reads: Reads, user_id: str, words: str | None, wanted: int
) -> dict[str, Any]:
    """Return the filter that keeps the user's tasks with all of these words, with its value.

    `wanted` is how many of them are to be found.
    """
    if words is None:
        return {}
    ((total, tried, found),) = await reads.rows(_TRIED, {"user_id": user_id, "q": words})
    common = met_soon(found, tried, total, wanted)
    return {"common_words" if common else "words": words}


def _tried() -> Select[Any]:
    newest = (
        select(col(Task.search))
        .where(col(Task.user_id) == OWNER, col(Task.deleted_at).is_(None))
        .order_by(col(Task.created_at).desc(), col(Task.id).desc())
        .limit(_SAMPLE)
        .subquery()
    )
    found = newest.c.search.op("@@")(WORDS)
    return select(NUMBER_OF_TASKS, func.count(), func.count().filter(found)).select_from(newest)


_TRIED = Query(_tried())
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
