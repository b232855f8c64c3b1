"""One FastAPI process in the way of the well-known full-stack template.

Sync SQLModel in `def` endpoints; each request verifies its JWT, loads its user, and a list is
counted too.
"""

import os
from collections.abc import Iterator
from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import jwt
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Response  # noqa: TID251 - as usual
from fastapi.security import OAuth2PasswordBearer
from pydantic import computed_field
from sqlalchemy import ARRAY, Engine, Text
from sqlmodel import Field, Session, SQLModel, col, create_engine, func, select

_PRIORITIES = ("none", "low", "medium", "high", "urgent")


class TaskBase(SQLModel):
    """What the table and the answer share."""

    title: str
    description: str | None
    completed_at: datetime | None
    due_on: date | None
    due_at: datetime | None
    time_zone: str | None
    start_at: datetime | None
    reminders: list[str] = Field(sa_type=ARRAY(Text))
    recurrence: str | None
    recurrence_from: str
    tags: list[str] = Field(sa_type=ARRAY(Text))
    list_id: UUID | None
    parent_id: UUID | None
    position: str
    version: int
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


class Task(TaskBase, table=True):
    """The table of tasks, as far as it is read here."""

    user_id: str = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    priority: int


class Account(SQLModel, table=True):
    """The table of users, as far as it is read here."""

    user_id: str = Field(primary_key=True)
    last_version: int


class TaskPublic(TaskBase):
    """A task as it is answered."""

    id: UUID
    priority: int = Field(exclude=True)

    @computed_field(alias="priority")  # type: ignore[prop-decorator]
    @property
    def priority_name(self) -> str:
        """The priority by its name."""
        return _PRIORITIES[self.priority]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def completed(self) -> bool:
        """Whether it is done."""
        return self.completed_at is not None


class TasksPublic(SQLModel):
    """A page of tasks."""

    items: list[TaskPublic]
    count: int


_bearer = OAuth2PasswordBearer(tokenUrl="login")
_engine: list[Engine] = []


def _session() -> Iterator[Session]:
    if not _engine:
        _engine.append(
            create_engine(os.environ["DATABASE_URL"].replace("postgresql:", "postgresql+psycopg:"))
        )
    with Session(_engine[0]) as session:
        yield session


SessionDep = Annotated[Session, Depends(_session)]


def _current_user(session: SessionDep, token: Annotated[str, Depends(_bearer)]) -> Account:
    try:
        claims = jwt.decode(token, os.environ["BETTER_AUTH_SECRET"], algorithms=["HS256"])
    except jwt.InvalidTokenError as error:
        raise HTTPException(403) from error
    user = session.get(Account, claims["sub"])
    if user is None:
        raise HTTPException(404)
    return user


CurrentUser = Annotated[Account, Depends(_current_user)]
router = APIRouter()


@router.get("/healthz")
def get_health() -> Response:
    """Tell that the process is alive."""
    return Response()


@router.get("/api/v1/tasks")
def list_tasks(session: SessionDep, user: CurrentUser, limit: int = 50) -> TasksPublic:
    """List the newest tasks."""
    mine = (Task.user_id == user.user_id, col(Task.deleted_at).is_(None))
    count = session.exec(select(func.count()).select_from(Task).where(*mine)).one()
    newest = select(Task).where(*mine).order_by(col(Task.created_at).desc(), col(Task.id).desc())
    tasks = session.exec(newest.limit(limit)).all()
    return TasksPublic(items=[TaskPublic.model_validate(task) for task in tasks], count=count)


@router.get("/api/v1/tasks/{task_id}", response_model=TaskPublic)
def get_task(session: SessionDep, user: CurrentUser, task_id: UUID) -> Task:
    """Get one task."""
    task = session.get(Task, (user.user_id, task_id))
    if task is None:
        raise HTTPException(404)
    return task


def create_app() -> FastAPI:
    """Build the app; it reads `DATABASE_URL` and `BETTER_AUTH_SECRET`."""
    app = FastAPI()
    app.include_router(router)
    return app
