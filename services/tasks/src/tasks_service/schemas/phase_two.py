"""Tasks as the frontends of Phase II take and send them."""

from datetime import date, datetime
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    ValidationInfo,
    field_validator,
)

from tasks_service.priority import Priority
from tasks_service.schemas.body import ABSENT, Example, PartialBody, RequestBody
from tasks_service.schemas.fields import Description, Tags, Title
from tasks_service.schemas.instant import parse_date_or_instant
from tasks_service.schemas.query import QueryBool, QueryParameters
from tasks_service.schemas.task import Sort, TaskPatch, TaskRead, TaskWrite
from tasks_service.schemas.task_json import TaskJson

DueDate = Annotated[date | datetime, BeforeValidator(parse_date_or_instant)]
_SORT_FIELDS = {
    "created": "created_at",
    "created_at": "created_at",
    "title": "title",
    "due_date": "due",
    "priority": "priority",
}
PhaseTwoSort = Literal["created", "created_at", "title", "due_date", "priority"]
Order = Literal["asc", "desc"]


class PhaseTwoTask(BaseModel):
    """A task, with its user and one due date: `YYYY-MM-DD`, or an instant in UTC."""

    id: UUID
    user_id: str
    title: str
    description: str | None
    completed: bool
    priority: Priority
    tags: list[str]
    due_date: datetime | date | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, user_id: str, task: TaskRead | TaskJson) -> "PhaseTwoTask":
        """Show a user's task."""
        shared = {name: getattr(task, name) for name in cls.model_fields if hasattr(task, name)}
        due_date = task.due_at or task.due_on
        # The rows are ours and already validated.
        return cls.model_construct(**shared, user_id=user_id, due_date=due_date)


# Frontends put back the whole task they read, with fields that are ours to set.
_LENIENT = ConfigDict(extra="ignore")


class PhaseTwoWrite(RequestBody):
    """A new task; fields beyond these are ignored."""

    model_config = _LENIENT
    example: ClassVar[Example] = {
        "title": "Water the plants",
        "priority": "medium",
        "tags": ["home"],
        "due_date": "2026-06-01",
    }

    title: Title
    description: Description | None = None
    completed: StrictBool = False
    priority: Priority = Priority.NONE
    tags: Tags = Field(default=[])
    due_date: DueDate | None = None

    def as_task(self) -> TaskWrite:
        """Return the task to create."""
        return TaskWrite.model_construct(**_split_due_date(dict(self)))


class PhaseTwoPatch(PartialBody):
    """The fields to change: what is left out stays, and fields beyond these are ignored."""

    model_config = _LENIENT
    example: ClassVar[Example] = {"title": "Water all plants", "priority": "high"}

    title: Title = ABSENT
    description: Description | None = None
    completed: StrictBool = ABSENT
    priority: Priority = ABSENT
    tags: Tags = ABSENT
    due_date: DueDate | None = None

    def as_patch(self) -> TaskPatch:
        """Return the changes to make."""
        return TaskPatch.model_construct(**_split_due_date(self.given()))


class Completion(RequestBody):
    """Whether the task is done."""

    model_config = _LENIENT
    example: ClassVar[Example] = {"completed": True}

    completed: StrictBool


class PhaseTwoQuery(QueryParameters):
    """Which tasks, in which order; `sort_by` and `sort_order` are other names of the same."""

    status: Literal["all", "pending", "completed"] = "all"
    completed: QueryBool | None = None
    priority: Priority | None = None
    search: str | None = Field(
        default=None, max_length=200, description="In title and description, any case."
    )
    sort: PhaseTwoSort | None = None
    sort_by: PhaseTwoSort | None = None
    order: Order | None = Field(
        default=None, description="By default newest or most pressing first, else ascending."
    )
    sort_order: Order | None = None

    @field_validator("sort_by", "sort_order")
    @classmethod
    def _agrees(cls, value: str | None, info: ValidationInfo) -> str | None:
        other = {"sort_by": "sort", "sort_order": "order"}[str(info.field_name)]
        if value is not None and info.data.get(other) not in {None, value}:
            raise ValueError(f"contradicts {other}")
        return value

    def task_sort(self) -> Sort:
        """Return the order as `/api/v1` names it."""
        field = _SORT_FIELDS[self.sort or self.sort_by or "created"]
        usual = "desc" if field in {"created_at", "priority"} else "asc"
        descending = (self.order or self.sort_order or usual) == "desc"
        sort: Any = f"-{field}" if descending else field
        return sort  # type: ignore[no-any-return]  # Literals cannot be put together from parts.


def _split_due_date(fields: dict[str, Any]) -> dict[str, Any]:
    if "due_date" not in fields:
        return fields
    due = fields.pop("due_date")
    if isinstance(due, datetime):
        # These frontends know no zones, and put back the instant of a task that has one.
        return fields | {"due_on": None, "due_at": due}
    cleared = {"due_at": None, "time_zone": None}
    return fields | cleared | ({"due_on": due} if due else {"due_on": None, "recurrence": None})
