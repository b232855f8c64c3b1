"""What the rows of a file must be to one another."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, time
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from uuid_utils.compat import uuid7

from service_kit.errors import ValidationFailedError
from tasks_service.schemas.data_import import TaskRow
from tasks_service.services.import_rows import Placed, Problems, Rows
from tasks_service.services.subtasks import LEVELS
from tasks_service.services.task_recurrence import first_of

Tasks = Mapping[UUID, Placed[TaskRow]]


def check_rows(rows: Rows) -> None:
    """Complete the rows by what they are to one another. Raises `ImportRefusedError`.

    What they are to what the user has is not asked yet.
    """
    problems = Problems()
    for kind in (rows.lists, rows.tasks, rows.completions, rows.tags):
        _check_ids(kind, problems)
    _check_tag_names(rows, problems)
    tasks = {task.id: task for task in rows.tasks}
    for completion in rows.completions:
        if completion.row.task_id not in tasks:
            problems.add(completion.place, "task_id", "is no task in this file")
        if (completion.row.due_on is None) == (completion.row.due_at is None):
            problems.add(completion.place, "due_on", "needs a date, or an instant as due_at")
    for task in rows.tasks:
        _check_task(task, problems)
    _check_tree(rows, tasks, problems)
    problems.refuse_if_any()


def give_new_ids(rows: Rows) -> None:
    """Give every row another id, and what refers to it that one."""
    lists, tasks = (
        {placed.id: uuid7() for placed in kind}
        for kind in ([*rows.lists, *rows.named_lists], rows.tasks)
    )
    for task in rows.tasks:
        task.id = tasks[task.id]
        task.row.parent_id = tasks.get(task.row.parent_id, task.row.parent_id)  # type: ignore[arg-type]  # None is in none
        task.row.list_id = lists.get(task.row.list_id, task.row.list_id)  # type: ignore[arg-type]  # as above
    for one in [*rows.lists, *rows.named_lists]:
        one.id = lists[one.id]
    for completion in rows.completions:
        completion.row.task_id = tasks[completion.row.task_id]
        completion.id = uuid7()
    for tag in rows.tags:
        tag.id = uuid7()


def _check_ids(kind: list[Placed[Any]], problems: Problems) -> None:
    seen: set[UUID] = set()
    for placed in kind:
        if placed.id in seen:
            problems.add(placed.place, "id", "is in this file twice")
        seen.add(placed.id)


def _check_tag_names(rows: Rows, problems: Problems) -> None:
    seen: set[str] = set()
    for tag in rows.tags:
        key = tag.row.name.casefold()
        if key in seen:
            problems.add(tag.place, "name", "is in this file twice")
        seen.add(key)


def _check_task(task: Placed[TaskRow], problems: Problems) -> None:
    row = task.row
    if row.completed is False and row.completed_at is not None:
        problems.add(task.place, "completed", "is false, and completed_at says when it was")
    try:
        first = first_of(dict(row))
    except ValidationFailedError as error:
        for found in error.extensions["errors"]:
            problems.add(task.place, found["pointer"].removeprefix("#/"), found["detail"])
        return
    if row.recurrence is None and (row.recurrence_local, row.recurrence_number) != (None, 1):
        problems.add(task.place, "recurrence_number", "needs a recurrence, as does what it goes by")
    elif row.recurrence_local is None:
        row.recurrence_local = first["recurrence_local"]
    elif not _is_due_then(row, row.recurrence_local):
        problems.add(task.place, "recurrence_local", "is not when the task is due")


def _is_due_then(row: TaskRow, local: datetime) -> bool:
    if row.due_on is not None:
        return local == datetime.combine(row.due_on, time.min)
    try:
        return local.replace(tzinfo=ZoneInfo(row.time_zone or "UTC")).astimezone(UTC) == row.due_at
    except OverflowError:
        return False


def _check_tree(rows: Rows, tasks: Tasks, problems: Problems) -> None:
    trashed_lists = {one.id for one in rows.lists if one.row.deleted_at is not None}
    for task in rows.tasks:
        line = list(_upwards(task, tasks))
        top = line[-1]
        if top.row.parent_id is not None:
            detail = _what_is_wrong(line, tasks)
            # Said once, of the task whose own parent it is; those below only follow.
            if top is task or detail != _NO_TASK:
                problems.add(task.place, "parent_id", detail)
            continue
        _check_home(line, trashed_lists, problems)


_NO_TASK = "is no task in this file"


def _upwards(task: Placed[TaskRow], tasks: Tasks) -> Iterator[Placed[TaskRow]]:
    """Yield a task and what it stands under, on as many levels as there may be."""
    found: Placed[TaskRow] | None = task
    for _ in range(LEVELS):
        if found is None:
            return
        yield found
        found = tasks.get(found.row.parent_id) if found.row.parent_id else None


def _what_is_wrong(line: list[Placed[TaskRow]], tasks: Tasks) -> str:
    parent_id = line[-1].row.parent_id
    if parent_id not in tasks:
        return _NO_TASK
    if any(task.id == parent_id for task in line):
        return "leads back to the task itself"
    return f"would make more than {LEVELS} levels"


def _check_home(line: list[Placed[TaskRow]], trashed_lists: set[UUID], problems: Problems) -> None:
    task, top = line[0], line[-1]
    row, list_id = task.row, top.row.list_id
    trashed = row.deleted_at is not None
    if row.list_id is None:
        row.list_id = list_id
    elif row.list_id != list_id and not trashed:
        problems.add(task.place, "list_id", "a subtask is in its parent's list")
    if trashed:
        return
    if len(line) > 1 and line[1].row.deleted_at is not None:
        problems.add(task.place, "parent_id", "is in the trash, and this task is not")
    if row.list_id in trashed_lists:
        problems.add(task.place, "list_id", "is in the trash, and this task is not")


def by_level(rows: Rows) -> list[Placed[TaskRow]]:
    """Return the tasks so that each stands behind its parent."""
    tasks = {task.id: task for task in rows.tasks}
    return sorted(rows.tasks, key=lambda task: len(list(_upwards(task, tasks))))
