"""How PostgreSQL answers each query when many users have many rows."""

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from hashlib import md5
from typing import Any, get_args
from uuid import UUID

import pytest
from asyncpg import Record
from fastapi import FastAPI
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from service_kit.clock import utc_now
from tasks_service.dependencies.resources import Resources
from tasks_service.export_sessions import ExportSessions
from tasks_service.reads import Query, Reads
from tasks_service.schemas.data_import import ImportFile
from tasks_service.schemas.export import ExportFormat
from tasks_service.schemas.list import ListMove, ListQuery
from tasks_service.schemas.query import PageQuery
from tasks_service.schemas.stats import StatsQuery
from tasks_service.schemas.sync import SyncQuery
from tasks_service.schemas.task import Sort, TaskMove, TaskPatch, TaskQuery, TaskWrite
from tasks_service.services import (
    account,
    completion,
    data_import,
    stats,
    sync,
    tag_filter,
    task_list,
    tombstone,
    trash,
    word_filter,
)
from tasks_service.services import list as list_service
from tasks_service.services import tag as tag_service
from tasks_service.services import task as task_service
from tasks_service.services.cursor import CursorSealer
from tasks_service.services.export import export_data
from tasks_service.services.housekeeping import DUTIES, Duty
from tasks_service.services.task_query import walked
from tasks_service.turns import Turns

USER = "reader-3"
TRASHED_TASKS, TRASHED_LISTS, KEYS, TOMBSTONES = DUTIES
CURSORS = CursorSealer([b"key"])
# The third user's lists end in these numbers, live; those of 2000 more are in the trash.
LIST, OTHER, DELETED = (UUID(int=number) for number in (43, 83, 2043))
# Every tenth task has a subtask, the one 20 numbers on; those from 8001 are in the trash.
TASK, PARENT, CHILD, DELETED_TASK = (UUID(int=number) for number in (3, 143, 163, 8143))
FILE = json.dumps(
    {
        "tags": [{"name": "x"}],
        "lists": [{"id": str(UUID(int=1 << 64)), "name": "x"}],
        "tasks": [{"title": "x", "list_id": str(LIST)}],
    }
).encode()
ROWS = """
INSERT INTO account (user_id, last_version, epoch, created_at, updated_at)
  SELECT 'reader-' || n, 12000, '00000000', now(), now() FROM generate_series(0, 1999) n;
INSERT INTO list (user_id, id, name, position, archived, version, created_at, updated_at,
  deleted_at)
SELECT 'reader-' || (n % 20), lpad(to_hex(n), 32, '0')::uuid, 'list ' || n,
  lpad(to_hex(549755813888 + n), 10, '0'), n % 3 = 0, n, now(), now(),
  CASE WHEN n > 2000 THEN now() + n * interval '1 s' END
FROM generate_series(1, 4000) n;
INSERT INTO task (user_id, id, title, priority, tags, tag_keys, version, created_at, updated_at,
  due_on, list_id, parent_id, position, deleted_at)
SELECT 'reader-' || (n % 20), lpad(to_hex(n), 32, '0')::uuid, 'task ' || n, n % 5,
  CASE WHEN n % 3 = 0 THEN ARRAY['T' || n % 500] ELSE '{}' END,
  CASE WHEN n % 3 = 0 THEN ARRAY['t' || n % 500] ELSE '{}' END, n,
  now() - n * interval '1 s', now() - n * interval '1 s',
  CASE WHEN n % 3 = 1 THEN current_date - 1 + n / 60 % 3 END,
  CASE WHEN n % 400 < 200 THEN
    lpad(to_hex(20 * (1 + n / 4000) + n % 20), 32, '0')::uuid END,
  CASE WHEN n % 200 > 160 THEN lpad(to_hex(n - 20), 32, '0')::uuid END,
  lpad(to_hex(549755813888 + n), 10, '0'),
  CASE WHEN n > 8000 THEN now() + n * interval '1 s' END
FROM generate_series(1, 12000) n;
INSERT INTO completion (user_id, id, task_id, due_on, completed_at, version, created_at,
  updated_at)
SELECT 'reader-' || (n % 20), gen_random_uuid(), lpad(to_hex(n), 32, '0')::uuid,
  current_date - k, now() - k * interval '1 day', n, now(), now()
FROM generate_series(1, 400) n, generate_series(1, 30) k;
INSERT INTO task_count SELECT 'reader-' || n / 5, gen_random_uuid(), NULL, n % 5, 1, 1, now(), now()
  FROM generate_series(100, 9999) n;
INSERT INTO idempotency_key SELECT 'reader-' || (n % 20), 'r', 'k' || n, 'x', gen_random_uuid(), n,
  'x', now() - n * interval '1 s', now() FROM generate_series(1, 4000) n;
INSERT INTO tombstone SELECT 'reader-' || (n % 20), n, 'task', gen_random_uuid(),
  now() - n * interval '1 s', now() FROM generate_series(1, 10000) n;
ANALYZE task_count; ANALYZE tombstone; ANALYZE idempotency_key; ANALYZE completion;
ANALYZE account; ANALYZE list; ANALYZE task; ANALYZE tag; ANALYZE task_tag
"""


@pytest.fixture(scope="module")
async def connection(app: FastAPI) -> AsyncIterator[AsyncConnection]:
    """Give a transaction that sees many rows of a few users, and is rolled back."""
    resources: Resources = app.state.resources
    async with resources.database.engine.connect() as connection:
        for statement in ROWS.split(";"):
            await connection.execute(text(statement))
        yield connection


class ReadsWithin(Reads):
    """Reads within a connection's transaction, and keeps what was asked."""

    def __init__(self, connection: AsyncConnection) -> None:
        super().__init__(connection.engine, Turns(1, 0))
        self._connection = connection
        self.asked: list[tuple[str, list[Any]]] = []

    async def rows(self, query: Query, parameters: dict[str, Any]) -> list[Record]:
        raw = await self._connection.get_raw_connection()
        driver: Any = raw.driver_connection
        arguments = query.arguments(parameters)
        self.asked.append((query.text, arguments))
        rows: list[Record] = await driver.fetch(query.text, *arguments)
        return rows

    async def plans(self, how: str = "") -> list[str]:
        """Return the plan of each query."""
        raw = await self._connection.get_raw_connection()
        driver: Any = raw.driver_connection
        return [
            "\n".join(line for (line,) in await driver.fetch(f"EXPLAIN {how} {query}", *arguments))
            for query, arguments in self.asked
        ]


async def plans_of_reads(
    connection: AsyncConnection, act: Callable[[Reads], Awaitable[Any]]
) -> list[str]:
    """Run a service function that reads and return the plan of each query it made."""
    reads = ReadsWithin(connection)
    await act(reads)
    assert reads.asked
    return await reads.plans()


async def plans_of(
    connection: AsyncConnection, act: Callable[[AsyncSession], Awaitable[Any]]
) -> list[str]:
    """Run a service function and return the plan of each statement it sent."""
    sent: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "SAVEPOINT" not in statement:
            sent.append((statement, parameters))

    async with connection.begin_nested() as savepoint:
        event.listen(connection.sync_connection, "before_cursor_execute", note)
        async with AsyncSession(connection, expire_on_commit=False) as session:
            await act(session)
        event.remove(connection.sync_connection, "before_cursor_execute", note)
        await savepoint.rollback()
    assert sent
    plans = []
    for statement, parameters in sent:
        lines = await connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
        plans.append("\n".join(line for (line,) in lines))
    return plans


COLUMNS: dict[Sort, str] = {
    "created_at": "created_at",
    "-created_at": "created_at",
    "updated_at": "updated_at",
    "-updated_at": "updated_at",
    "due": "due_ascending",
    "-due": "due_descending",
    "priority": "priority",
    "-priority": "priority",
    "title": "title_key",
    "-title": "title_key",
    "position": "position",
    "-position": "position",
}


@pytest.mark.spec("TASK-17", "TASK-19")
async def test_each_sort_reads_its_index_in_order_from_any_page(
    connection: AsyncConnection,
) -> None:
    plans: list[tuple[Sort, str]] = []
    for sort in COLUMNS:
        query = TaskQuery(sort=sort, limit=10)
        page = await task_list.list_tasks(ReadsWithin(connection), USER, query, CURSORS)
        following = query.model_copy(update={"cursor": page.next_cursor})
        for each in (query, following):
            act = partial(task_list.list_tasks, user_id=USER, query=each, cursors=CURSORS)
            (plan,) = await plans_of_reads(connection, act)
            plans.append((sort, plan))

    for sort, plan in plans:
        assert f"ix_task_user_id_{COLUMNS[sort]}" in plan
        assert "Seq Scan" not in plan
        assert "Sort" not in plan


async def tag_ids(session: AsyncSession) -> list[UUID]:
    """Return the ids of the reader's first tags, and end the transaction that read them."""
    page = await tag_service.list_tags(session, USER, PageQuery(limit=2), CURSORS)
    await session.rollback()
    return [tag.id for tag in page.items]


async def rename_a_tag(session: AsyncSession) -> None:
    """Give a tag the name of another."""
    first, second = await tag_ids(session)
    name = (await tag_service.get_tag(session, USER, second)).name
    await session.rollback()
    await tag_service.rename_tag(session, USER, first, name)


async def delete_a_tag(session: AsyncSession) -> None:
    """Delete a tag."""
    await tag_service.delete_tag(session, USER, (await tag_ids(session))[0])


async def recur(session: AsyncSession) -> None:
    """Let a task recur, once completed and once skipped."""
    patch = TaskPatch(due_on="2126-11-25", recurrence="FREQ=DAILY", completed=True)
    await task_service.update_task(session, USER, CHILD, patch)
    await task_service.skip_task(session, USER, CHILD)


async def export(session: AsyncSession) -> None:
    """Export everything, in every format."""
    for kind in get_args(ExportFormat):
        async for _ in export_data(_Given(session), USER, kind):
            pass


class _Given(ExportSessions):
    """The session whose plans are asked for."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    @asynccontextmanager
    async def session_of(self, user_id: str) -> AsyncIterator[AsyncSession]:
        assert user_id == USER
        yield self._session


SYNCED = [
    "ix_list_user_id_trashed_version",
    "ix_list_user_id_version",
    "ix_tag_user_id_version",
    "ix_task_user_id_trashed_version",
    "ix_task_user_id_version",
    "pk_tombstone",
]


@pytest.mark.spec("SYNC-9")
@pytest.mark.parametrize("cursor", ["3000", f"3000.list.{LIST}.2000", f"3000.task.{TASK}.2000"])
async def test_a_sync_reads_each_index_from_where_it_stands(
    connection: AsyncConnection, cursor: str
) -> None:
    query = SyncQuery(cursor=f"00000000.{cursor}", limit=2)
    (plan,) = await plans_of(connection, partial(sync.sync, user_id=USER, query=query))

    assert sorted(re.findall(r"using (\w+) on (?!account)", plan)) == SYNCED
    assert len(re.findall(r"Index Cond: .*user_id.*version", plan)) == len(SYNCED)
    assert "Seq Scan" not in plan


@pytest.mark.spec("SYNC-6")
async def test_old_tombstones_are_found_by_their_age(connection: AsyncConnection) -> None:
    purge = partial(tombstone.purge_tombstones, before=utc_now(), limit=5)
    find, *others = await plans_of(connection, purge)

    assert "ix_tombstone_created_at" in find
    assert "Sort" not in find
    assert all("Seq Scan" not in plan for plan in [find, *others])


PAGES: dict[str, Callable[[AsyncSession], Awaitable[Any]]] = {
    "ix_list_user_id_position": lambda session: list_service.list_lists(
        session, USER, ListQuery(limit=10), CURSORS
    ),
    "ix_task_user_id_deleted_at": lambda session: trash.list_deleted_tasks(
        session, USER, PageQuery(limit=20), CURSORS
    ),
    "ix_list_user_id_deleted_at": lambda session: trash.list_deleted_lists(
        session, USER, PageQuery(limit=20), CURSORS
    ),
}


@pytest.mark.spec("SPEED-1")
@pytest.mark.parametrize("sort", COLUMNS)
async def test_a_page_far_down_reads_its_rows_and_one_more(
    connection: AsyncConnection, sort: Sort
) -> None:
    query = TaskQuery(sort=sort, limit=10)
    for _ in range(20):
        page = await task_list.list_tasks(ReadsWithin(connection), USER, query, CURSORS)
        query = query.model_copy(update={"cursor": page.next_cursor})

    reads = ReadsWithin(connection)
    await task_list.list_tasks(reads, USER, query, CURSORS)
    (plan,) = await reads.plans("(ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF)")

    assert set(re.findall(r"actual rows=(\d+)", plan)) == {"11"}
    assert "Rows Removed" not in plan


@pytest.mark.spec("LIST-3", "TRASH-2", "TRASH-6")
@pytest.mark.parametrize("index", PAGES)
async def test_each_page_reads_its_index_in_order(connection: AsyncConnection, index: str) -> None:
    (plan,) = await plans_of(connection, PAGES[index])

    assert index in plan
    assert "Sort" not in plan


@pytest.mark.spec("TASK-26")
@pytest.mark.parametrize("list_id", [LIST, "none"])
async def test_a_list_is_read_in_the_order_of_its_positions(
    connection: AsyncConnection, list_id: Any
) -> None:
    query = TaskQuery(list_id=list_id, sort="position", limit=2)
    (plan,) = await plans_of_reads(
        connection, partial(task_list.list_tasks, user_id=USER, query=query, cursors=CURSORS)
    )

    assert "position" in plan
    assert "Sort" not in plan


@pytest.mark.spec("SEARCH-4")
async def test_a_search_reads_the_words_of_its_user_alone(connection: AsyncConnection) -> None:
    query = TaskQuery(q="task 12")
    _, plan = await plans_of_reads(
        connection, partial(task_list.list_tasks, user_id=USER, query=query, cursors=CURSORS)
    )
    asked = await connection.scalar(text("SELECT user_query(:user, 'task 12')"), {"user": USER})
    words = re.findall(r"'(\w{8})(task|12)'", str(asked))

    assert "Bitmap Index Scan on ix_task_search" in plan
    assert {prefix for prefix, _ in words} == {md5(USER.encode()).hexdigest()[:8]}  # noqa: S324
    assert {word for _, word in words} == {"task", "12"}


@pytest.mark.spec("SEARCH-4")
@pytest.mark.parametrize("sort", [*COLUMNS, "relevance"])
@pytest.mark.parametrize(
    "filters",
    [
        {},
        {"list_id": LIST, "parent_id": PARENT, "due_before": "2126-01-31T09:00:00Z"},
        {"view": "overdue"},
    ],
    ids=["no filter", "filters", "a view"],
)
async def test_rare_words_are_read_from_their_index_and_from_no_other(
    connection: AsyncConnection,
    monkeypatch: pytest.MonkeyPatch,
    filters: dict[str, Any],
    sort: Sort,
) -> None:
    monkeypatch.setattr(word_filter, "met_soon", lambda *_: False)
    query = TaskQuery(q="task", sort=sort, **filters).model_copy(update={"count": True})
    reads = ReadsWithin(connection)
    await task_list.list_tasks(reads, USER, query, CURSORS)
    # What finds tasks: the first asks how common the words are, and the views when they change.
    reads.asked = [reads.asked[1], reads.asked[-1 if query.view is None else 2]]
    async with connection.begin_nested() as savepoint:
        # To read a task is so dear that any index would first be asked which ones are needed, and
        # to sort so dear that they would be met in order.
        for setting in ("random_page_cost = 1000", "seq_page_cost = 1000", "enable_sort = off"):
            await connection.execute(text(f"SET LOCAL {setting}"))
        # As PostgreSQL plans what it is given at first, and what it was given often.
        plans = [plan for how in ("", "(GENERIC_PLAN)") for plan in await reads.plans(how)]
        await savepoint.rollback()

    for plan in plans:
        assert re.findall(r"(?:Index|Heap|Seq|Only) Scan.* (ix_\w+|pk_\w+|task)\b", plan) == [
            "task",
            "ix_task_search",
        ], plan


@pytest.mark.spec("SEARCH-5")
@pytest.mark.parametrize(
    ("sort", "column"), [("relevance", "created_at"), ("-priority", "priority")]
)
async def test_common_words_are_met_on_the_way(
    connection: AsyncConnection, monkeypatch: pytest.MonkeyPatch, sort: Sort, column: str
) -> None:
    monkeypatch.setattr(word_filter, "met_soon", lambda *_: True)
    monkeypatch.setattr(task_list, "_MOST_RANKED", 10)
    query = TaskQuery(q="task", sort=sort, limit=10)
    _, spread, plan = await plans_of_reads(
        connection, partial(task_list.list_tasks, user_id=USER, query=query, cursors=CURSORS)
    )

    assert re.search("ix_task_user_id_version on .*\n *Index Cond: .*user_id.*version", spread)
    assert f"using ix_task_user_id_{column}" in plan
    assert "ix_task_search" not in plan


# Newest first, what the thousand tasks of a user are called.
CALLED = {
    "this week alone": "CASE WHEN n <= 100 THEN 'word' ELSE 'other' END",
    "long ago alone": "CASE WHEN n > 500 THEN 'word' ELSE 'other' END",
    "now and then": "CASE WHEN n % 3 = 0 THEN 'word' ELSE 'other' END",
    "always": "'word'",
}


@pytest.mark.spec("SEARCH-5")
@pytest.mark.parametrize(
    ("called", "sort", "common"),
    [
        ("this week alone", "relevance", False),
        ("this week alone", "created_at", False),
        ("long ago alone", "relevance", False),
        ("long ago alone", "created_at", True),
        ("long ago alone", "-title", True),
        ("now and then", "relevance", True),
        ("now and then", "title", False),
        ("always", "relevance", True),
        ("always", "due", True),
    ],
)
async def test_words_are_common_if_the_first_tasks_on_the_way_and_all_have_them(
    connection: AsyncConnection, called: str, sort: Sort, common: bool
) -> None:
    assert await taken_for_common(connection, CALLED[called], sort, writes=1000) is common


@pytest.mark.spec("SEARCH-5")
async def test_all_tasks_are_not_asked_when_others_were_written_again_and_again(
    connection: AsyncConnection,
) -> None:
    assert await taken_for_common(connection, CALLED["always"], "relevance", writes=100_000)


async def taken_for_common(
    connection: AsyncConnection, title: str, sort: Sort, writes: int
) -> bool:
    """Tell whether a word is called common of a user whose first thousand writes are tasks."""
    tasks = f"""
INSERT INTO task (user_id, id, title, priority, tags, tag_keys, version, created_at, updated_at)
SELECT 'reader-1999', gen_random_uuid(), {title}, 0, '{{}}', '{{}}', 1000 - n,
  now() - n * interval '1 s', now() FROM generate_series(1, 1000) n
"""  # noqa: S608 - put together from constants
    async with connection.begin_nested() as savepoint:
        await connection.execute(text(tasks))
        counter = "UPDATE account SET last_version = :writes WHERE user_id = 'reader-1999'"
        await connection.execute(text(counter), {"writes": writes})
        reads = ReadsWithin(connection)
        found = await word_filter.word_filters(reads, "reader-1999", "word", 40, walked(sort))
        await savepoint.rollback()
    return found == {"common_words": "word"}


@pytest.mark.spec("TAG-6", "SPEED-5")
@pytest.mark.parametrize(
    ("common", "scan"), [(False, "CTE Scan on tagged"), (True, "ix_task_user_id_created_at")]
)
async def test_a_rare_tag_leads_to_its_tasks_and_a_common_one_is_met_on_the_way(
    connection: AsyncConnection, monkeypatch: pytest.MonkeyPatch, common: bool, scan: str
) -> None:
    monkeypatch.setattr(tag_filter, "met_soon", lambda *_: common)
    query = TaskQuery(tag=["t3", "T23"], limit=10)
    _, plan = await plans_of_reads(
        connection, partial(task_list.list_tasks, user_id=USER, query=query, cursors=CURSORS)
    )

    assert ("task_tag" in plan) is not common
    assert scan in plan
    assert "Seq Scan" not in plan


@pytest.mark.spec("VIEW-1", "VIEW-2")
@pytest.mark.parametrize("view", ["today", "overdue", "upcoming"])
async def test_a_view_reads_its_part_of_the_due_index_in_order(
    connection: AsyncConnection, view: Any
) -> None:
    query = TaskQuery(view=view, limit=1)
    for plan in await plans_of_reads(
        connection, partial(task_list.list_tasks, user_id=USER, query=query, cursors=CURSORS)
    ):
        assert re.search("Index (Only )?Scan using ix_task_user_id_open_due", plan)
        assert re.search(r"Index Cond: .*user_id.*due_ascending", plan)
        assert "Sort" not in plan


@pytest.mark.spec("SPEED-4")
async def test_the_numbers_are_read_where_they_are_kept_and_from_indexes_alone(
    connection: AsyncConnection,
) -> None:
    # What this transaction wrote is not known to be visible, so that a bitmap seems better.
    await connection.execute(text("SET LOCAL enable_bitmapscan = off"))
    act = partial(stats.get_stats, user_id=USER, query=StatsQuery())
    kept, per_day = await plans_of_reads(connection, act)
    await connection.execute(text("SET LOCAL enable_bitmapscan = on"))
    (tags,) = await plans_of(connection, ACTS["the tags"])

    assert re.findall(r"(\w+ Only Scan using \w+|using \w+) on", kept) == [
        "using uq_task_count_user_id_list_id_priority",
        *["Index Only Scan using ix_task_user_id_open_due"] * 2,
    ]
    assert re.findall(r"(\w+ Only Scan using \w+|using \w+) on", per_day) == [
        "Index Only Scan using ix_task_user_id_completed_at",
        "Index Only Scan using ix_completion_user_id_completed_at",
        "using pk_task",
    ]
    assert re.findall(r" on (\w+)  ", tags) == ["tag", "ix_tag_user_id_version"]


@pytest.mark.spec("SPEED-4")
@pytest.mark.parametrize(
    ("filters", "table"),
    [
        ({}, "task_count"),
        ({"completed": "false", "priority": ["high", "low"], "list_id": LIST}, "task_count"),
        ({"completed": "true", "list_id": "none"}, "task_count"),
        ({"completed": "true", "has_due": "true"}, "task"),
    ],
)
async def test_a_list_is_counted_where_its_number_is_kept(
    connection: AsyncConnection, filters: dict[str, Any], table: str
) -> None:
    query = TaskQuery(**filters).model_copy(update={"count": True})
    _, count = await plans_of_reads(
        connection, partial(task_list.list_tasks, user_id=USER, query=query, cursors=CURSORS)
    )

    assert set(re.findall(r" on (task\w*)", count)) == {table}


@pytest.mark.spec("REC-23")
async def test_the_completions_of_a_task_are_read_in_their_order(
    connection: AsyncConnection,
) -> None:
    act = partial(
        completion.list_completions,
        user_id=USER,
        task_id=TASK,
        query=PageQuery(limit=10),
        cursors=CURSORS,
    )
    _, plan = await plans_of(connection, act)

    assert "Index Scan Backward using ix_completion_user_id_task_id_completed_at" in plan
    assert re.search(r"Index Cond: .*user_id.*task_id", plan)
    assert "Sort" not in plan


@pytest.mark.spec("DATA-24")
@pytest.mark.parametrize(
    ("duty", "index"),
    [
        (TRASHED_TASKS, "ix_task_deleted_at"),
        (TRASHED_LISTS, "ix_list_deleted_at"),
        (KEYS, "ix_idempotency_key_created_at"),
        (TOMBSTONES, "ix_tombstone_created_at"),
    ],
)
async def test_housekeeping_finds_what_is_old_by_its_index(
    connection: AsyncConnection, duty: Duty, index: str
) -> None:
    later = utc_now() + timedelta(days=1)
    plans = await plans_of(connection, lambda session: duty.purge(session, later, 5))

    assert index in plans[0]
    assert not any("Seq Scan" in plan for plan in plans), plans


READ_ACTS: dict[str, Callable[[Reads], Awaitable[Any]]] = {
    "the tasks of a list": lambda reads: task_list.list_tasks(
        reads, USER, TaskQuery(list_id=LIST), CURSORS
    ),
    "the tasks of no list": lambda reads: task_list.list_tasks(
        reads, USER, TaskQuery(list_id="none"), CURSORS
    ),
    "the tasks with two tags": lambda reads: task_list.list_tasks(
        reads, USER, TaskQuery(tag=["t3", "T23"]), CURSORS
    ),
    "the number of tasks": lambda reads: task_list.list_tasks(
        reads, USER, TaskQuery(has_due="true").model_copy(update={"count": True}), CURSORS
    ),
    "the statistics": lambda reads: stats.get_stats(reads, USER, StatsQuery()),
    "the subtasks of a task": lambda reads: task_list.list_tasks(
        reads, USER, TaskQuery(parent_id=PARENT), CURSORS
    ),
}
ACTS: dict[str, Callable[[AsyncSession], Awaitable[Any]]] = {
    "the tags": lambda session: tag_service.list_tags(session, USER, PageQuery(), CURSORS),
    "renaming a tag to another": rename_a_tag,
    "deleting a tag": delete_a_tag,
    "creating a subtask": lambda session: task_service.create_task(
        session, USER, TaskWrite(title="x", parent_id=PARENT)
    ),
    "moving a task behind another, its subtasks with it": lambda session: task_service.move_task(
        session, USER, PARENT, TaskMove(list_id=OTHER)
    ),
    "moving a task before another, under a parent": lambda session: task_service.move_task(
        session, USER, TASK, TaskMove(parent_id=PARENT, before_id=CHILD)
    ),
    "completing and skipping a recurring task": recur,
    "the completions of a task": lambda session: completion.list_completions(
        session, USER, TASK, PageQuery(), CURSORS
    ),
    "an export": export,
    "an import": lambda session: data_import.import_once(
        session, USER, ImportFile(False, FILE), "keep", None
    ),
    "removing an account": lambda session: account.delete_account(session, USER),
    "deleting a task": lambda session: task_service.delete_task(session, USER, PARENT),
    "restoring a task": lambda session: trash.restore_task(session, USER, DELETED_TASK),
    "purging a task": lambda session: trash.purge_task(session, USER, DELETED_TASK),
    "moving a list behind another": lambda session: list_service.move_list(
        session, USER, LIST, ListMove(after_id=OTHER)
    ),
    "moving a list before another": lambda session: list_service.move_list(
        session, USER, OTHER, ListMove(before_id=LIST)
    ),
    "deleting a list": lambda session: list_service.delete_list(
        session, USER, LIST, keep_tasks=False
    ),
    "restoring a list": lambda session: trash.restore_list(session, USER, DELETED),
    "purging a list": lambda session: trash.purge_list(session, USER, DELETED),
    "emptying the trash": lambda session: trash.empty_trash(session, USER),
}


@pytest.mark.spec(
    "SUB-3",
    "SUB-4",
    "SUB-6",
    "TASK-27",
    "LIST-5",
    "LIST-7",
    "LIST-8",
    "TRASH-5",
    "TRASH-6",
    "REC-20",
    "REC-22",
    "REC-23",
)
@pytest.mark.parametrize("act", [*READ_ACTS, *ACTS])
async def test_no_statement_reads_the_rows_of_everybody(
    connection: AsyncConnection, act: str
) -> None:
    if act in READ_ACTS:
        plans = await plans_of_reads(connection, READ_ACTS[act])
    else:
        plans = await plans_of(connection, ACTS[act])
    for plan in plans:
        assert "Seq Scan" not in plan
        # Each scan of an index starts from the user.
        conditions = re.findall(r"Index Cond: (.*)", plan)
        assert all("user_id" in condition for condition in conditions), plan
