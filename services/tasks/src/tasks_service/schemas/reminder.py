"""Reminders: instants, or durations before a task is due, each in one spelling."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from tasks_service.schemas.instant import parse_instant

# RFC 5545 §3.3.6, without seconds.
_DURATION = re.compile(
    r"P(?:(?P<weeks>\d{1,4})W|(?:(?P<days>\d{1,4})D)?(?:T(?=\d)(?:(?P<hours>\d{1,5})H)?"
    r"(?:(?P<minutes>\d{1,6})M)?)?)",
    re.ASCII,
)
_LONGEST = timedelta(days=366)


def _parse(value: object) -> str:
    if not isinstance(value, str) or not value.startswith("P"):
        return parse_instant(value).isoformat().replace("+00:00", "Z")
    found = _DURATION.fullmatch(value)
    if found is None or value == "P":
        raise ValueError("should be an instant with its offset, or a duration like PT30M or P1D")
    duration = timedelta(**{unit: int(count) for unit, count in found.groupdict("0").items()})
    if duration > _LONGEST:
        raise ValueError("should be at most 366 days before the task is due")
    return _spelled(duration)


def _spelled(duration: timedelta) -> str:
    hours, minutes = divmod(duration.seconds // 60, 60)
    days = f"{duration.days}D" if duration.days else ""
    time = (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "")
    if not days and not time:
        return "PT0M"
    return f"P{days}" + (f"T{time}" if time else "")


def _unique(reminders: list[str]) -> list[str]:
    return list(dict.fromkeys(reminders))


Reminder = Annotated[str, BeforeValidator(_parse)]
Reminders = Annotated[
    list[Reminder],
    Field(
        max_length=10,
        description="Instants, or durations before the task is due, like `PT30M` or `P1D`.",
    ),
    AfterValidator(_unique),
]
