"""The statement behind a sync: what changed, of every kind, in the order of the versions."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Row,
    Select,
    Text,
    Uuid,
    cast,
    literal,
    null,
    select,
    tuple_,
    union_all,
)
from sqlmodel import col

from tasks_service.models import Tag, Task, TaskList, Tombstone
from tasks_service.schemas.sync import AnyChange, ListChange, SyncedTag, TagChange, TaskChange
from tasks_service.services.list_rows import LIST_COLUMNS, as_list
from tasks_service.services.sync_cursor import SyncCursor
from tasks_service.services.task_rows import TASK_COLUMNS, as_task

ORDER = ("version", "kind", "id")
_TAG_COLUMNS: Sequence[Any] = (
    col(Tag.id),
    col(Tag.name),
    col(Tag.version),
    col(Tag.created_at),
    col(Tag.updated_at),
)
# What a row of the union has, by name; what its kind lacks is null.
_ALL: Sequence[Any] = (*_TAG_COLUMNS, *LIST_COLUMNS, *TASK_COLUMNS)
_COLUMNS = {column.key: column for column in _ALL}
_KINDS: Sequence[tuple[str, Any, Sequence[Any]]] = (
    ("list", TaskList, LIST_COLUMNS),
    ("tag", Tag, _TAG_COLUMNS),
    ("task", Task, TASK_COLUMNS),
)


def select_changes(
    user_id: str, cursor: SyncCursor | None, limit: int
) -> CompoundSelect[*tuple[Any, ...]]:
    """Select the first changes after a cursor, in their order; all there is without one."""
    parts = (_live(user_id, cursor), () if cursor is None else _gone(user_id, cursor))
    # Each is cut off by itself, so that none is read further than the page can need.
    cut = [part.limit(limit) for some in parts for part in some]
    return union_all(*cut).order_by(*ORDER).limit(limit)


def as_change(row: Row[Any]) -> AnyChange:
    """Return the change in a row of `select_changes`."""
    known = {"op": row.op, "id": row.id, "version": row.version}
    there = row.op == "upsert"
    match row.kind:
        case "task":
            task = as_task(row) if there else None
            return TaskChange.model_construct(kind="task", **known, object=task)
        case "list":
            of_tasks = as_list(row) if there else None
            return ListChange.model_construct(kind="list", **known, object=of_tasks)
        case _:
            tag = SyncedTag.model_validate(row) if there else None
            return TagChange.model_construct(kind="tag", **known, object=tag)


def _live(user_id: str, cursor: SyncCursor | None) -> Iterator[Select[*tuple[Any, ...]]]:
    for kind, table, columns in _KINDS:
        part = _in_order(kind, table, cursor, columns).where(table.user_id == user_id)
        yield part if table is Tag else part.where(table.deleted_at.is_(None))


def _gone(user_id: str, cursor: SyncCursor) -> Iterator[Select[*tuple[Any, ...]]]:
    for kind, table, _ in _KINDS:
        if table is not Tag:
            yield _in_order(kind, table, cursor).where(
                table.user_id == user_id,
                table.deleted_at.is_not(None),
                table.version > cursor.since,
            )
    version, of, row_id = col(Tombstone.version), col(Tombstone.kind), col(Tombstone.id)
    buried = _select(of, "delete", (version, row_id)).order_by(version, of, row_id)
    yield buried.where(
        col(Tombstone.user_id) == user_id,
        version > cursor.since,
        version > cursor.version
        if cursor.kind is None
        else tuple_(version, of, row_id)
        > tuple_(literal(cursor.version), literal(cursor.kind), literal(cursor.id, Uuid())),
    )


def _in_order(
    kind: str,
    table: Any,  # noqa: ANN401 - of two or three models
    cursor: SyncCursor | None,
    columns: Sequence[Any] | None = None,
) -> Select[*tuple[Any, ...]]:
    """Select what comes after a cursor, as gone unless there are columns, in its index's order."""
    row = (table.version, table.id)
    op = "delete" if columns is None else "upsert"
    part = _select(literal(kind, Text), op, columns or row).order_by(*row)
    return part if cursor is None else part.where(_after(kind, row, cursor))


def _after(kind: str, row: tuple[Any, Any], cursor: SyncCursor) -> ColumnElement[bool]:
    version, _ = row
    if cursor.kind == kind:
        return tuple_(*row) > tuple_(literal(cursor.version), literal(cursor.id, Uuid()))
    if cursor.kind is not None and cursor.kind < kind:
        after: ColumnElement[bool] = version >= cursor.version
    else:
        after = version > cursor.version
    return after


def _select(kind: Any, op: str, columns: Sequence[Any]) -> Select[*tuple[Any, ...]]:  # noqa: ANN401 - a column or a literal
    given = {column.key: column for column in columns}
    return select(
        kind.label("kind"),
        literal(op, Text).label("op"),
        *(
            given.get(name, cast(null(), column.type)).label(name)
            for name, column in _COLUMNS.items()
        ),
    )
