"""Dates and instants as text: RFC 3339, and nothing that merely resembles it."""

import re
from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import BeforeValidator

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_LOCAL = re.compile(_DATE.pattern + r"[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?", re.ASCII)
_INSTANT = re.compile(_LOCAL.pattern + r"([Zz]|[+-]\d{2}:\d{2})", re.ASCII)


def parse_date(value: object) -> date:
    """Read `YYYY-MM-DD`. Raises `ValueError` for anything else."""
    if isinstance(value, str) and _DATE.fullmatch(value):
        return date.fromisoformat(value)
    raise ValueError("should be a date, YYYY-MM-DD")


def parse_instant(value: object) -> datetime:
    """Read an RFC 3339 date-time with its offset, into UTC. Raises `ValueError` otherwise."""
    if isinstance(value, str) and _INSTANT.fullmatch(value):
        return _in_utc(datetime.fromisoformat(value.upper()))
    raise ValueError("should be an instant with its offset, like 2026-01-31T09:00:00Z")


def parse_local(value: object) -> datetime:
    """Read what calendar and clock show somewhere, without an offset. Raises `ValueError`."""
    if isinstance(value, str) and _LOCAL.fullmatch(value):
        return datetime.fromisoformat(value.upper())
    raise ValueError("should be a date and time without an offset, like 2026-01-31T09:00:00")


def parse_date_or_instant(value: object) -> date | datetime:
    """Read either; an instant without an offset is in UTC. Raises `ValueError` otherwise."""
    if not isinstance(value, str) or _DATE.fullmatch(value):
        return parse_date(value)
    return parse_instant(f"{value}Z" if _LOCAL.fullmatch(value) else value)


def parse_bound(value: object) -> datetime:
    """Read the end of a range: an instant, or a date for its midnight in UTC."""
    if isinstance(value, str) and _DATE.fullmatch(value):
        day = parse_date(value)
        return datetime(day.year, day.month, day.day, tzinfo=UTC)
    return parse_instant(value)


def _in_utc(instant: datetime) -> datetime:
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise ValueError("should be within the years 1 to 9999 in UTC") from None


DateText = Annotated[date, BeforeValidator(parse_date)]
InstantText = Annotated[datetime, BeforeValidator(parse_instant)]
BoundText = Annotated[datetime, BeforeValidator(parse_bound)]
