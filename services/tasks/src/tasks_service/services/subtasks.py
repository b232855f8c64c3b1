"""Where a task belongs: its list and its parent, and the subtasks that go where it goes."""

from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import CTE, ColumnElement, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from service_kit.errors import ValidationFailedError
from service_kit.problems import ProblemField
from tasks_service.models import Task
from tasks_service.schemas.task import TaskRead
from tasks_service.services.account import Stamp
from tasks_service.services.field_versions import written
from tasks_service.services.list_rows import require_list

LEVELS = 5


class Home(NamedTuple):
    """The list and the parent of a task, each None for none."""

    list_id: UUID | None
    parent_id: UUID | None


def home_of(task: TaskRead) -> Home:
    """Return where a task is."""
    return Home(task.list_id, task.parent_id)


async def find_home(
    session: AsyncSession, user_id: str, given: Mapping[str, Any], current: TaskRead | None
) -> Home:
    """Return where a task goes by the `list_id` and `parent_id` it is given.

    `current` is the task as it stands, None for a new one. Raises `ValidationFailedError` if it
    cannot go there.
    """
    was = home_of(current) if current else Home(None, None)
    parent_id = given.get("parent_id", was.parent_id)
    list_id = given.get("list_id", was.list_id)
    if parent_id is None:
        if list_id != was.list_id:
            await require_list(session, user_id, list_id)
        return Home(list_id, None)
    if Home(list_id, parent_id) == was:
        return was
    lines = await _ancestors(session, user_id, parent_id)
    if not lines:
        raise _refused("parent_id", "is no task of yours")
    if given.get("list_id") not in {None, lines[0].list_id}:
        raise _refused("list_id", "a subtask is in its parent's list")
    if current is not None and parent_id != was.parent_id:
        if current.id in {line.id for line in lines}:
            raise _refused("parent_id", "is this task or one of its subtasks")
        height = await _height(session, user_id, current.id)
    else:
        height = 1
    if len(lines) + height > LEVELS:
        raise _refused("parent_id", f"would make more than {LEVELS} levels")
    return Home(lines[0].list_id, parent_id)


async def move_subtasks(
    session: AsyncSession, user_id: str, task_id: UUID, list_id: UUID | None, stamp: Stamp
) -> None:
    """Put every subtask of a task, the trash included, into its list."""
    await session.execute(
        update(Task)
        .where(*_under(user_id, _subtree(user_id, task_id)), col(Task.id) != task_id)
        .values(list_id=list_id, **written(stamp, ["list_id"]))
        .execution_options(synchronize_session=False)
    )


def with_subtasks(
    user_id: str, task_id: UUID, deleted_at: object = None
) -> tuple[ColumnElement[bool], ...]:
    """Choose a task and the subtasks that share its `deleted_at`, on every level."""
    return _under(user_id, _subtree(user_id, task_id, col(Task.deleted_at) == deleted_at))


def _under(user_id: str, subtree: CTE) -> tuple[ColumnElement[bool], ...]:
    return col(Task.user_id) == user_id, col(Task.id).in_(select(subtree.c.id))


def _subtree(user_id: str, task_id: UUID, *conditions: ColumnElement[bool]) -> CTE:
    owned = (col(Task.user_id) == user_id, *conditions)
    top = select(col(Task.id), literal(1).label("level")).where(*owned, col(Task.id) == task_id)
    subtree = top.cte("subtree", recursive=True)
    under = select(col(Task.id), subtree.c.level + 1).where(
        *owned, col(Task.parent_id) == subtree.c.id
    )
    return subtree.union_all(under)


async def _height(session: AsyncSession, user_id: str, task_id: UUID) -> int:
    subtree = _subtree(user_id, task_id)
    deepest = select(subtree.c.level).order_by(subtree.c.level.desc()).limit(1)
    return int((await session.execute(deepest)).scalar_one())


async def _ancestors(session: AsyncSession, user_id: str, task_id: UUID) -> Any:  # noqa: ANN401 - rows of id and list_id
    """Return a live task and what it stands under, from it upwards."""
    owned = (col(Task.user_id) == user_id, col(Task.deleted_at).is_(None))
    columns = (col(Task.id), col(Task.list_id), col(Task.parent_id))
    first = select(*columns, literal(1).label("step")).where(*owned, col(Task.id) == task_id)
    line = first.cte("line", recursive=True)
    above = select(*columns, line.c.step + 1).where(*owned, col(Task.id) == line.c.parent_id)
    line = line.union_all(above)
    return (await session.execute(select(line).order_by(line.c.step))).all()


def _refused(field: str, detail: str) -> ValidationFailedError:
    return ValidationFailedError([ProblemField(detail=detail, pointer=f"#/{field}")])
