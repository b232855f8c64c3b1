"""Recurrence as `/api/v1` takes and answers it."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, StringConstraints

from tasks_service.schemas.body import Example, RequestBody
from tasks_service.schemas.fields import TimeZone
from tasks_service.schemas.instant import DateText, InstantText, parse_date, parse_instant
from tasks_service.schemas.recurrence_rule import parse_rule

_LONGEST_RULE = 500
_DATE_LENGTH = len("2026-01-31")


class RecurrenceFrom(StrEnum):
    """What the next occurrence is counted from."""

    DUE = "due"
    COMPLETION = "completion"


def _canonical(text: str) -> str:
    return str(parse_rule(text))


def _parse_after(value: object) -> date | datetime:
    if isinstance(value, str) and len(value) > _DATE_LENGTH:
        return parse_instant(value)
    return parse_date(value)


RecurrenceText = Annotated[
    str, StringConstraints(max_length=_LONGEST_RULE), AfterValidator(_canonical)
]
AfterText = Annotated[date | datetime, BeforeValidator(_parse_after)]


class RecurrencePreviewRequest(RequestBody):
    """A rule and the due it starts from, as a task would have them."""

    example: ClassVar[Example] = {
        "recurrence": "FREQ=WEEKLY;BYDAY=MO,TH",
        "due_on": "2026-06-01",
        "count": 4,
    }

    recurrence: RecurrenceText = Field(
        description="RRULE of RFC 5545, like `FREQ=WEEKLY;BYDAY=MO,TH`."
    )
    due_on: DateText | None = Field(default=None, description="Excludes `due_at`.")
    due_at: InstantText | None = Field(default=None, description="Needs `time_zone`.")
    time_zone: TimeZone | None = Field(default=None, description="IANA name; needs `due_at`.")
    recurrence_from: RecurrenceFrom = RecurrenceFrom.DUE
    after: AfterText | None = Field(
        default=None,
        description="What follows a completion then: a date with `due_on`, else an instant.",
    )
    count: Annotated[int, Field(strict=True, ge=1, le=100)] = 10


class RecurrencePreview(BaseModel):
    """The first occurrences of a rule."""

    recurrence: str = Field(description="The rule in canonical form.")
    occurrences: list[datetime | date] = Field(
        description="Dates with `due_on`, instants in UTC with `due_at`."
    )
    ends: bool = Field(description="Nothing follows the last of `occurrences`.")
