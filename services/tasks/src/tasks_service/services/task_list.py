"""Lists of a user's tasks, by the page or whole."""

from typing import Any

from service_kit.clock import utc_now
from tasks_service.reads import Reads
from tasks_service.schemas.phase_two import PhaseTwoQuery
from tasks_service.schemas.task import TaskQuery
from tasks_service.schemas.task_json import TaskJson, TaskPageJson
from tasks_service.services.account import require_cursor_read
from tasks_service.services.cursor import CursorSealer
from tasks_service.services.day import Day
from tasks_service.services.keyset import PageRequest
from tasks_service.services.tag_filter import tag_filters
from tasks_service.services.task_query import (
    KEYSETS,
    containing,
    count_query,
    every_query,
    filters_of,
    page_query,
    walked,
)
from tasks_service.services.task_rows import task_json
from tasks_service.services.task_view import seen_from, view_changes_at
from tasks_service.services.word_filter import word_filters

# Nobody reads the last digits of a greater number, and each task costs its part.
_MOST_COUNTED = 10_000
# Nobody pages through more matches, the best first, and each has to be looked at.
_MOST_RANKED = 1000


async def list_tasks(
    reads: Reads, user_id: str, query: TaskQuery, cursors: CursorSealer
) -> TaskPageJson:
    """Return one page; with `changes_at` if the query names a view.

    Raises `InvalidCursorError` for a cursor of another user or query, and for one to come.
    """
    await require_cursor_read(reads, user_id, query.min_cursor)
    wanted = _wanted(query)
    filters = (
        filters_of(query)
        | await tag_filters(reads, user_id, query.tag, wanted)
        | await word_filters(reads, user_id, query.q, wanted, walked(query.order()))
    )
    parameters = {"user_id": user_id, "q": query.q, "ranked": _MOST_RANKED, **filters}
    if query.view is None:
        return await _page(reads, query, cursors, frozenset(filters), parameters)
    day = Day.at(utc_now(), query.time_zone or "UTC")
    names = frozenset((*filters, query.view))
    page = await _page(reads, query, cursors, names, parameters | seen_from(day))
    page.changes_at = await view_changes_at(reads, user_id, query.view, day)
    return page


def _wanted(query: TaskQuery) -> int:
    """Return how many tasks are looked for."""
    if query.count:
        return _MOST_COUNTED
    return _MOST_RANKED if query.order() == "relevance" else query.limit


async def list_every_task(reads: Reads, user_id: str, query: PhaseTwoQuery) -> list[TaskJson]:
    """Return all tasks that match."""
    if query.completed is not None and query.status != "all":
        wanted = query.status == "completed"
        if wanted != query.completed:
            return []
    completed = query.completed if query.status == "all" else query.status == "completed"
    filters: dict[str, Any] = {}
    if completed is not None:
        filters["completed" if completed else "open"] = True
    if query.priority:
        filters["priorities"] = [query.priority]
    if query.search:
        filters["search"] = containing(query.search)
    found = every_query(frozenset(filters), query.task_sort())
    return [task_json(row) for row in await reads.rows(found, {"user_id": user_id, **filters})]


async def _page(
    reads: Reads,
    query: TaskQuery,
    cursors: CursorSealer,
    filters: frozenset[str],
    parameters: dict[str, Any],
) -> TaskPageJson:
    """Return a page, counted if that was asked for."""
    order = query.order()
    keyset = KEYSETS[order]
    request = PageRequest.of(parameters["user_id"], query.filters(), query)
    found = await reads.rows(
        page_query(filters, order, first=request.first),
        parameters | request.parameters(keyset, cursors),
    )
    rows, next_cursor = request.cut(found, keyset, cursors)
    page = TaskPageJson([task_json(row) for row in rows], next_cursor)
    if query.count:
        counting = parameters | {"most": _MOST_COUNTED + 1}
        ((number,),) = await reads.rows(count_query(filters), counting)
        page.count, page.count_exact = min(number, _MOST_COUNTED), number <= _MOST_COUNTED
    return page
