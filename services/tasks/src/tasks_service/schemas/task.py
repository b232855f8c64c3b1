"""Tasks as `/api/v1` takes and answers them."""

from datetime import date, datetime
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
    ValidationInfo,
    field_validator,
)

from tasks_service.priority import Priority
from tasks_service.schemas.body import ABSENT, Example, PartialBody, RequestBody
from tasks_service.schemas.fields import Description, Tag, Tags, TimeZone, Title
from tasks_service.schemas.instant import BoundText, DateText, InstantText
from tasks_service.schemas.move import Place
from tasks_service.schemas.query import IdOrNone, PageQuery, QueryBool
from tasks_service.schemas.recurrence import RecurrenceFrom, RecurrenceText
from tasks_service.schemas.reminder import Reminders

SortField = Literal["created_at", "updated_at", "due", "priority", "title", "position"]
Sort = Literal[
    "created_at", "-created_at", "updated_at", "-updated_at", "due", "-due",
    "priority", "-priority", "title", "-title", "position", "-position", "relevance",
]  # fmt: skip


View = Literal["today", "overdue", "upcoming"]
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class TaskRead(BaseModel):
    """A task. `version` is also its ETag; times are in UTC."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    title: str
    description: str | None
    completed: bool
    completed_at: datetime | None
    priority: Priority
    due_on: date | None = Field(description="Due on a date, wherever the user is.")
    due_at: datetime | None = Field(description="Due at an instant.")
    time_zone: str | None = Field(description="IANA zone in which `due_at` was meant.")
    start_at: datetime | None
    reminders: list[str] = Field(description="Instants, and durations before the task is due.")
    recurrence: str | None = Field(description="RRULE of RFC 5545, in canonical form.")
    recurrence_from: RecurrenceFrom
    tags: list[str]
    list_id: UUID | None = Field(description="The list it is in.")
    parent_id: UUID | None = Field(description="The task it stands under.")
    position: str = Field(description="Its place in its list; sorts bytewise.")
    version: int
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = Field(description="When it went to the trash.")


def _without_default(schema: dict[str, Any]) -> None:
    schema.pop("default")


class TaskPage(BaseModel):
    """Some tasks, and where the next ones begin."""

    items: list[TaskRead]
    next_cursor: str | None = Field(description="Null on the last page.")
    count: int = Field(
        default=0,
        description="How many match; more than 10,000 are not counted. Only with `count=true`.",
        json_schema_extra=_without_default,
    )
    count_exact: bool = Field(
        default=True,
        description="False if more than 10,000 match. Only with `count=true`.",
        json_schema_extra=_without_default,
    )


class TaskView(TaskPage):
    """Some of the tasks of a view."""

    changes_at: datetime = Field(description="When the view may change though nobody writes.")


class TaskWrite(RequestBody):
    """A whole task: what is left out takes its default."""

    example: ClassVar[Example] = {
        "title": "Water the plants",
        "priority": "medium",
        "due_at": "2026-06-01T16:00:00Z",
        "time_zone": "Europe/Berlin",
        "reminders": ["PT30M"],
        "recurrence": "FREQ=WEEKLY;BYDAY=MO,TH",
        "tags": ["home"],
    }

    title: Title
    description: Description | None = None
    completed: StrictBool = False
    priority: Priority = Priority.NONE
    due_on: DateText | None = Field(default=None, description="Excludes `due_at`.")
    due_at: InstantText | None = Field(default=None, description="Excludes `due_on`.")
    time_zone: TimeZone | None = Field(default=None, description="IANA name; needs `due_at`.")
    start_at: InstantText | None = None
    reminders: Reminders = Field(default=[])
    recurrence: RecurrenceText | None = Field(
        default=None,
        description="RRULE of RFC 5545, like `FREQ=WEEKLY;BYDAY=MO,TH`; needs `due_on`, or "
        "`due_at` with `time_zone`.",
    )
    recurrence_from: RecurrenceFrom = RecurrenceFrom.DUE
    tags: Tags = Field(default=[])
    list_id: UUID | None = Field(
        default=None, description="One of the caller's lists; a subtask is in its parent's."
    )
    parent_id: UUID | None = Field(default=None, description="Another of the caller's tasks.")


class TaskPatch(PartialBody):
    """The fields to change: what is left out stays, null clears."""

    example: ClassVar[Example] = {"title": "Water all plants", "priority": "high"}

    title: Title = ABSENT
    description: Description | None = None
    completed: StrictBool = ABSENT
    priority: Priority = ABSENT
    due_on: DateText | None = None
    due_at: InstantText | None = None
    time_zone: TimeZone | None = None
    start_at: InstantText | None = None
    reminders: Reminders = ABSENT
    recurrence: RecurrenceText | None = None
    recurrence_from: RecurrenceFrom = ABSENT
    tags: Tags = ABSENT
    list_id: UUID | None = None
    parent_id: UUID | None = None


class TaskMove(Place, PartialBody):
    """Where to put the task; a list or parent that is left out stays, null is none."""

    # Behind its siblings: an id is the reader's own, and FastAPI leaves null out.
    example: ClassVar[Example] = {}

    list_id: UUID | None = None
    parent_id: UUID | None = None


class TaskQuery(PageQuery):
    """Which tasks, in which order, and how many; the filters combine."""

    completed: QueryBool | None = None
    priority: list[Priority] = Field(default=[], description="Any of these.")
    tag: list[Tag] = Field(default=[], description="All of these, without regard to case.")
    due_before: BoundText | None = Field(
        default=None, description="Exclusive; a date means its midnight in UTC."
    )
    due_after: BoundText | None = Field(
        default=None, description="Inclusive; a date means its midnight in UTC."
    )
    q: (
        Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
        | None
    ) = Field(
        default=None, description="Words in title and description; the last one may be unfinished."
    )
    view: View | None = Field(
        default=None, description="Open tasks that are due today, or before or after."
    )
    time_zone: TimeZone | None = Field(
        default=None, description="IANA name of the zone of `view`; by default UTC."
    )
    updated_after: BoundText | None = Field(default=None, description="Inclusive.")
    has_due: QueryBool | None = Field(default=None, description="Whether it is due at all.")
    list_id: IdOrNone | None = Field(default=None, description="A list's id, or `none`.")
    parent_id: IdOrNone | None = Field(default=None, description="A task's id, or `none`.")
    sort: Sort = Field(
        default="-created_at",
        description="`-` for descending; ties by id; without a due time last either way."
        " With `q` the default is `relevance`, the best match first of the newest 1,000; with"
        " `view` it is `due`.",
    )

    count: QueryBool = Field(default=False, description="Count what matches, up to 10,000.")

    # Of one parameter each, not of the model: the error names it. What is not in `info.data` is
    # wrong itself, and said to be.
    @field_validator("time_zone")
    @classmethod
    def _of_a_view(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and info.data.get("view", value) is None:
            raise ValueError("needs view")
        return value

    @field_validator("sort")
    @classmethod
    def _of_a_search(cls, value: Sort, info: ValidationInfo) -> Sort:
        if value == "relevance" and info.data.get("q", value) is None:
            raise ValueError("relevance needs q")
        return value

    def order(self) -> Sort:
        """Return the order, which has defaults of its own for a search and a view."""
        if "sort" in self.model_fields_set:
            return self.sort
        if self.q is not None:
            return "relevance"
        return "due" if self.view is not None else self.sort
