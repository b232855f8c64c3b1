"""How the rows of a file become a user's: in bulk, under versions of their own."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Uuid, any_, func, literal, select
from sqlalchemy import column as new_column
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col
from uuid_utils.compat import uuid7

from tasks_service.models import Completion, Tag, Task, TaskList
from tasks_service.priority import Priority
from tasks_service.schemas.data_import import ImportResult, TaskRow
from tasks_service.services.account import Stamp, next_versions
from tasks_service.services.import_check import by_level
from tasks_service.services.import_rows import Placed, Problems, Rows
from tasks_service.services.list_rows import owned_lists
from tasks_service.services.position import last_position, version_behind

# So many rows in one statement: each has to end in the time that a statement has.
_AT_ONCE = 1000
_RANKS = {priority: rank for rank, priority in enumerate(Priority)}


async def write_rows(session: AsyncSession, user_id: str, rows: Rows) -> ImportResult:
    """Add rows that `check_rows` has let pass to what a user has, in the open transaction.

    Raises `ImportRefusedError`.
    """
    count = len(rows.lists) + len(rows.named_lists) + len(rows.tags) + len(rows.tasks)
    placed: list[Placed[Any]] = [*rows.lists, *rows.tasks]
    positions = [one.row.position for one in placed if one.row.position is not None]
    # Behind every position, so that what comes next does too.
    behind = max(map(version_behind, positions), default=0)
    last = await next_versions(session, user_id, count=max(count, 1), above=behind)
    rows.lists += await _lists_to_make(session, user_id, rows)
    await _refuse_known_ids(session, user_id, rows)
    await _rename_tags(session, user_id, rows)
    before = last.version - count
    await _Writer(session, user_id, last, before).write(rows)
    return ImportResult(
        lists=len(rows.lists),
        tags=await _count_new_tags(session, user_id, before),
        tasks=len(rows.tasks),
        completions=len(rows.completions),
    )


async def _lists_to_make(session: AsyncSession, user_id: str, rows: Rows) -> list[Any]:
    """Return the named lists that the user does not have, the rest being theirs by now."""
    named = {one.id for one in rows.named_lists}
    in_file = named | {one.id for one in rows.lists}
    wanted = {task.row.list_id for task in rows.tasks} - {None} - (in_file - named) | named
    statement = owned_lists(user_id).with_only_columns(col(TaskList.id))
    found = await session.scalars(statement.where(_any_of(TaskList, wanted)))
    theirs = set(found.all())
    problems = Problems()
    for task in rows.tasks:
        if task.row.list_id is not None and task.row.list_id not in in_file | theirs:
            problems.add(task.place, "list_id", "is neither in this file nor a list of yours")
    problems.refuse_if_any()
    return [one for one in rows.named_lists if one.id not in theirs]


async def _refuse_known_ids(session: AsyncSession, user_id: str, rows: Rows) -> None:
    problems = Problems()
    kinds: Sequence[tuple[Any, list[Placed[Any]]]] = (
        (TaskList, rows.lists),
        (Task, rows.tasks),
        (Completion, rows.completions),
    )
    for table, kind in kinds:
        known = await _known(session, user_id, table, kind)
        for placed in kind:
            if placed.id in known:
                problems.add(placed.place, "id", "is one that you have already")
    problems.refuse_if_any()


async def _rename_tags(session: AsyncSession, user_id: str, rows: Rows) -> None:
    # A tag goes by its name; its id may be that of one which was renamed.
    known = await _known(session, user_id, Tag, rows.tags)
    for tag in rows.tags:
        if tag.id in known:
            tag.id = uuid7()


async def _count_new_tags(session: AsyncSession, user_id: str, before: int) -> int:
    # Those of the tasks are made by the database, under the versions of their tasks.
    new = select(func.count()).where(col(Tag.user_id) == user_id, col(Tag.version) > before)
    return (await session.scalars(new)).one()


async def _known(
    session: AsyncSession,
    user_id: str,
    table: Any,  # noqa: ANN401 - a model
    kind: Sequence[Placed[Any]],
) -> set[UUID]:
    if not kind:
        return set()
    ids = select(col(table.id)).where(col(table.user_id) == user_id)
    return set(await session.scalars(ids.where(_any_of(table, {one.id for one in kind}))))


def _any_of(table: Any, ids: Iterable[UUID | None]) -> Any:  # noqa: ANN401 - a model, a condition
    return col(table.id) == any_(literal(list(ids), ARRAY(Uuid)))


class _Writer:
    """Writes rows, each under the version after the one before."""

    def __init__(self, session: AsyncSession, user_id: str, stamp: Stamp, version: int) -> None:
        self._session = session
        self._user_id = user_id
        self._at = stamp.at
        self._version = version

    async def write(self, rows: Rows) -> None:
        await self._insert(TaskList, [self._list(placed) for placed in rows.lists])
        await self._insert(Tag, [self._tag(placed) for placed in rows.tags])
        tasks = {placed.id: self._task(placed) for placed in rows.tasks}
        await self._insert(Task, [tasks[placed.id] for placed in by_level(rows)])
        completions = [
            placed.row.model_dump()
            | {
                "user_id": self._user_id,
                "id": placed.id,
                "version": tasks[placed.row.task_id]["version"],
                "created_at": placed.row.completed_at,
                "updated_at": self._at,
            }
            for placed in rows.completions
        ]
        await self._insert(Completion, completions)

    def _stamped(self, placed: Placed[Any]) -> dict[str, Any]:
        self._version += 1
        return {
            "user_id": self._user_id,
            "id": placed.id,
            "version": self._version,
            "created_at": placed.row.created_at or self._at,
            "updated_at": self._at,
        }

    def _list(self, placed: Placed[Any]) -> dict[str, Any]:
        columns: dict[str, Any] = placed.row.model_dump() | self._stamped(placed)
        columns["position"] = placed.row.position or last_position(self._version)
        return columns

    def _tag(self, placed: Placed[Any]) -> dict[str, Any]:
        columns: dict[str, Any] = placed.row.model_dump() | self._stamped(placed)
        return columns | {"key": placed.row.name.casefold()}

    def _task(self, placed: Placed[TaskRow]) -> dict[str, Any]:
        row = placed.row
        columns = row.model_dump(exclude={"completed"}) | self._stamped(placed)
        return columns | {
            "completed_at": row.completed_at or (self._at if row.completed else None),
            "priority": _RANKS[row.priority],
            "tag_keys": [tag.casefold() for tag in row.tags],
            "position": row.position or last_position(self._version),
            "field_versions": {"id": self._version},
        }

    async def _insert(self, model: Any, rows: Sequence[Mapping[str, Any]]) -> None:  # noqa: ANN401 - a table
        for start in range(0, len(rows), _AT_ONCE):
            await self._insert_some(model, rows[start : start + _AT_ONCE])

    async def _insert_some(self, model: Any, rows: Sequence[Mapping[str, Any]]) -> None:  # noqa: ANN401 - as above
        # As one parameter: a statement has no room for one for each value, nor could it be kept.
        table = model.__table__
        names = list(rows[0])
        given: Any = (
            func.jsonb_to_recordset(literal([_as_json(row) for row in rows], JSONB()))
            .table_valued(*(new_column(name, table.c[name].type) for name in names))
            .render_derived(with_types=True)
        )
        statement = insert(table).from_select(names, select(*(given.c[name] for name in names)))
        # The only ones that may be there already: they go by their names.
        await self._session.execute(
            statement.on_conflict_do_nothing() if model is Tag else statement
        )


def _as_json(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _json_value(value) for name, value in row.items()}


def _json_value(value: object) -> object:
    if isinstance(value, date | datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value
