"""The day it is where a user is."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Self
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class Day:
    """A day of a zone, from `start` until just before `end`, and the instant it is `now`."""

    now: datetime
    date: date
    start: datetime
    end: datetime

    @classmethod
    def at(cls, now: datetime, time_zone: str) -> Self:
        """Return the day that an instant belongs to in a zone."""
        today = now.astimezone(ZoneInfo(time_zone)).date()
        tomorrow = today + timedelta(days=1)
        return cls(now, today, midnight(today, time_zone), midnight(tomorrow, time_zone))


def utc_midnight(day: date) -> datetime:
    """Return where a task due on this day stands among the instants (TASK-19)."""
    return datetime.combine(day, time.min, UTC)


def midnight(day: date, time_zone: str) -> datetime:
    """Return the instant a day begins in a zone."""
    return datetime.combine(day, time.min, ZoneInfo(time_zone)).astimezone(UTC)
