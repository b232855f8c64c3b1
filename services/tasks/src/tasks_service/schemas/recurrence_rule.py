"""Recurrence rules: the parts of an RFC 5545 RRULE that a to-do needs, read and written."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import partial
from typing import Any, NamedTuple

WEEKS_OF_A_MONTH = 5
WEEKS_OF_A_YEAR = 53
_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_NUMBER = re.compile(r"[+-]?0*[1-9]\d*")
_WEEKDAY = re.compile(rf"(?P<number>{_NUMBER.pattern})?(?P<name>{'|'.join(_WEEKDAYS)})")
_UNTIL_DATE = re.compile(r"\d{8}")
_UNTIL_INSTANT = re.compile(r"\d{8}T\d{6}Z")
_NO_SEPARATORS = str.maketrans("", "", "-:")


class Frequency(StrEnum):
    """How long one period of a rule is."""

    DAILY = "DAILY"
    WEEKLY = "WEEKLY"
    MONTHLY = "MONTHLY"
    YEARLY = "YEARLY"


class Weekday(NamedTuple):
    """A day of BYDAY: every such day of the period, or the one with this number.

    Days count from Monday, 0; numbers from 1, or from the end from -1; 0 is every day.
    """

    number: int
    day: int

    def __str__(self) -> str:
        return f"{self.number or ''}{_WEEKDAYS[self.day]}"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as it was meant: lists sorted and without doubles, `str` its canonical text.

    `until` is a date or an instant in UTC, inclusive; `week_start` counts from Monday, 0.
    """

    frequency: Frequency
    interval: int = 1
    months: tuple[int, ...] = ()
    month_days: tuple[int, ...] = ()
    weekdays: tuple[Weekday, ...] = ()
    positions: tuple[int, ...] = ()
    week_start: int = 0
    count: int | None = None
    until: date | datetime | None = None

    def __str__(self) -> str:
        parts = {
            "FREQ": self.frequency,
            "INTERVAL": self.interval if self.interval > 1 else "",
            "BYMONTH": _listed(self.months),
            "BYMONTHDAY": _listed(self.month_days),
            "BYDAY": _listed(self.weekdays),
            "BYSETPOS": _listed(self.positions),
            "WKST": _WEEKDAYS[self.week_start] if self.week_start else "",
            "COUNT": self.count or "",
            "UNTIL": "" if self.until is None else until_text(self.until),
        }
        return ";".join(f"{name}={value}" for name, value in parts.items() if value)


def _listed(values: Iterable[object]) -> str:
    return ",".join(map(str, values))


def until_text(until: date | datetime) -> str:
    """Write the value of UNTIL: a date, or an instant in UTC."""
    # Not strftime, which writes the year 999 with three digits.
    if isinstance(until, datetime):
        until = until.replace(tzinfo=None, microsecond=0)
        return until.isoformat().translate(_NO_SEPARATORS) + "Z"
    return until.isoformat().translate(_NO_SEPARATORS)


def parse_rule(text: str) -> Rule:
    """Read a rule.

    Raises `ValueError` with a sentence that says what to write instead.
    """
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError(
            "should be one rule, like FREQ=WEEKLY;BYDAY=MO, without blanks, line breaks or "
            "DTSTART: the due of the task is where it starts"
        )
    values = dict(_read(text.upper().removeprefix("RRULE:")))
    if "frequency" not in values:
        raise ValueError("should have a FREQ, like FREQ=WEEKLY;BYDAY=MO")
    rule = Rule(**values)
    for complaint in _contradictions(rule):
        raise ValueError(complaint)
    return rule if _week_start_matters(rule) else replace(rule, week_start=0)


def _read(text: str) -> Iterator[tuple[str, Any]]:
    seen: set[str] = set()
    for part in text.split(";"):
        name, equals, value = part.partition("=")
        if not equals or not value:
            raise ValueError("should be parts like FREQ=DAILY, with one semicolon between them")
        if name in seen:
            raise ValueError(f"should have {name} only once")
        seen.add(name)
        if name in _INSTEAD:
            raise ValueError(f"should not have {name}: {_INSTEAD[name]}")
        if name not in _PARTS:
            raise ValueError(f"should have no other parts than {', '.join(_PARTS)}")
        field, read = _PARTS[name]
        yield field, read(value)


def _frequency(value: str) -> Frequency:
    try:
        return Frequency(value)
    except ValueError:
        raise ValueError("FREQ should be DAILY, WEEKLY, MONTHLY or YEARLY") from None


def _whole(name: str, highest: int, value: str) -> int:
    if value.isdigit() and 1 <= int(value) <= highest:
        return int(value)
    raise ValueError(f"{name} should be a number from 1 to {highest}")


def _wholes(name: str, highest: int, value: str) -> tuple[int, ...]:
    try:
        return tuple(sorted({_whole(name, highest, item) for item in value.split(",")}))
    except ValueError:
        raise ValueError(f"{name} should be numbers from 1 to {highest}, like {name}=1,2") from None


def _signed(name: str, highest: int, value: str) -> tuple[int, ...]:
    items = value.split(",")
    if all(_NUMBER.fullmatch(item) and abs(int(item)) <= highest for item in items):
        return tuple(sorted({int(item) for item in items}, key=_from_start))
    raise ValueError(
        f"{name} should be numbers from 1 to {highest}, or from -{highest} to -1 counted from "
        f"the end, like {name}=1,-1"
    )


def _from_start(number: int) -> tuple[bool, int]:
    return number < 0, number


def _weekdays(value: str) -> tuple[Weekday, ...]:
    days = set()
    for item in value.split(","):
        found = _WEEKDAY.fullmatch(item)
        if found is None:
            raise ValueError(
                "BYDAY should be days from MO to SU, like BYDAY=MO,TH, or in a month or year "
                "numbered ones, like BYDAY=1MO,-1FR"
            )
        days.add(Weekday(int(found["number"] or 0), _WEEKDAYS.index(found["name"])))
    return tuple(sorted(days, key=lambda each: (_from_start(each.number), each.day)))


def _week_start(value: str) -> int:
    if value in _WEEKDAYS:
        return _WEEKDAYS.index(value)
    raise ValueError("WKST should be a day from MO to SU")


def _until(value: str) -> date | datetime:
    try:
        if _UNTIL_DATE.fullmatch(value):
            return date.fromisoformat(value)
        if _UNTIL_INSTANT.fullmatch(value):
            return datetime.strptime(value, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        pass
    raise ValueError(
        "UNTIL should be a date, like 20261231, or for due_at an instant in UTC, like "
        "20261231T225959Z"
    )


_PARTS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "FREQ": ("frequency", _frequency),
    "INTERVAL": ("interval", partial(_whole, "INTERVAL", 1000)),
    "BYMONTH": ("months", partial(_wholes, "BYMONTH", 12)),
    "BYMONTHDAY": ("month_days", partial(_signed, "BYMONTHDAY", 31)),
    "BYDAY": ("weekdays", _weekdays),
    "BYSETPOS": ("positions", partial(_signed, "BYSETPOS", 366)),
    "WKST": ("week_start", _week_start),
    "COUNT": ("count", partial(_whole, "COUNT", 1000)),
    "UNTIL": ("until", _until),
}
_TIME_OF_DAY = "the time of day is that of due_at"
_MONTHS_AND_DAYS = "write BYMONTH with BYMONTHDAY or BYDAY"
_GREGORIAN = "dates are Gregorian, and those that do not exist are skipped"
_INSTEAD = {
    "BYSECOND": _TIME_OF_DAY,
    "BYMINUTE": _TIME_OF_DAY,
    "BYHOUR": _TIME_OF_DAY,
    "BYYEARDAY": _MONTHS_AND_DAYS,
    "BYWEEKNO": _MONTHS_AND_DAYS,
    "RSCALE": _GREGORIAN,
    "SKIP": _GREGORIAN,
}


def _contradictions(rule: Rule) -> Iterator[str]:
    if rule.count is not None and rule.until is not None:
        yield "should have COUNT or UNTIL, not both"
    if rule.month_days and rule.frequency == Frequency.WEEKLY:
        yield "should not have BYMONTHDAY with FREQ=WEEKLY: write FREQ=MONTHLY, or BYDAY"
    if rule.month_days and rule.frequency == Frequency.YEARLY and not rule.months:
        yield (
            "should have BYMONTH beside BYMONTHDAY with FREQ=YEARLY, or FREQ=MONTHLY for every "
            "month"
        )
    if rule.positions and not (rule.months or rule.month_days or rule.weekdays):
        yield "should have BYDAY, BYMONTHDAY or BYMONTH for BYSETPOS to choose from"
    numbered = [abs(day.number) for day in rule.weekdays if day.number]
    if numbered and rule.frequency not in {Frequency.MONTHLY, Frequency.YEARLY}:
        yield f"should have BYDAY without numbers with FREQ={rule.frequency}, like BYDAY=MO"
    yearly = rule.frequency == Frequency.YEARLY and not rule.months
    highest = WEEKS_OF_A_YEAR if yearly else WEEKS_OF_A_MONTH
    if any(number > highest for number in numbered):
        yield (
            f"should have numbers from 1 to {highest} in this BYDAY, or from -{highest} to -1 "
            "counted from the end"
        )


def _week_start_matters(rule: Rule) -> bool:
    chooses = rule.interval > 1 or bool(rule.positions)
    return rule.frequency == Frequency.WEEKLY and bool(rule.weekdays) and chooses
