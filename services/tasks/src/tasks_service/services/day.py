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
        zone = ZoneInfo(time_zone)
        today = now.astimezone(zone).date()
        return cls(now, today, _midnight(today, zone), _midnight(today + timedelta(days=1), zone))


def utc_midnight(day: date) -> datetime:
    """Return where a task due on this day stands among the instants (TASK-19)."""
    return datetime.combine(day, time.min, UTC)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, zone).astimezone(UTC)
