"""The days a rule names: dateutil finds those of one year, the periods are counted here."""

from calendar import isleap
from collections.abc import Callable, Iterable, Iterator
from datetime import MAXYEAR, date, datetime
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from dateutil.rrule import YEARLY, rrule
from dateutil.rrule import weekday as nth_weekday

from tasks_service.schemas.recurrence_rule import (
    WEEKS_OF_A_MONTH,
    WEEKS_OF_A_YEAR,
    Frequency,
    Rule,
    Weekday,
)

YEARS_AHEAD = 100
_WEEK = range(7)
_MONTHS = range(1, 13)


class TooFarError(Exception):
    """Nothing more within the years that are looked at, though the rule has not ended."""


def days_after(rule: Rule, start: date, after: date) -> Iterator[date]:
    """Yield the days of a rule after `after`, in order, past COUNT and UNTIL if need be.

    `start`, no later, gives what the rule leaves open. Raises `TooFarError` after the hundredth
    year, unless UNTIL or the calendar ended before.
    """
    period_of = _periods(rule)
    first = period_of(start)
    last_year = after.year + YEARS_AHEAD
    for period, days in groupby(_days_around(rule, start, after), period_of):
        if (period - first) % rule.interval == 0:
            for day in _at_positions(rule.positions, days):
                if after < day and day.year <= last_year:
                    yield day
    if last_year < MAXYEAR and (rule.until is None or rule.until.year >= last_year):
        raise TooFarError


def _periods(rule: Rule) -> Callable[[date], int]:
    """Return what numbers the periods of a rule, one after the other."""
    if rule.frequency == Frequency.DAILY:
        return date.toordinal
    if rule.frequency == Frequency.WEEKLY:
        # The first day of the calendar, whose ordinal is 1, is a Monday.
        before = rule.week_start + 1
        return lambda day: (day.toordinal() - before) // len(_WEEK)
    if rule.frequency == Frequency.MONTHLY:
        return lambda day: day.year * len(_MONTHS) + day.month
    return attrgetter("year")


def _days_around(rule: Rule, start: date, after: date) -> Iterator[date]:
    # The week of the first day and that of the last may reach into another year.
    first_year = date.fromordinal(max(1, after.toordinal() - len(_WEEK))).year
    last_year = min(after.year + YEARS_AHEAD + 1, MAXYEAR)
    filters = _filters(rule, start)
    # Years of one length that begin on one weekday are alike: there are fourteen kinds.
    days_of_kind: dict[tuple[bool, int], list[int]] = {}
    for year in range(first_year, last_year + 1):
        if _has_a_period(rule, start, year):
            new_year = date(year, 1, 1)
            kind = isleap(year), new_year.weekday()
            if kind not in days_of_kind:
                days_of_kind[kind] = _days_of(year, filters)
            for days in days_of_kind[kind]:
                yield date.fromordinal(new_year.toordinal() + days)


def _has_a_period(rule: Rule, start: date, year: int) -> bool:
    period_of = _periods(rule)
    first, last = period_of(date(year, 1, 1)), period_of(date(year, 12, 31))
    return (period_of(start) - first) % rule.interval <= last - first


def _at_positions(positions: Iterable[int], days: Iterable[date]) -> Iterable[date]:
    if not positions:
        return days
    every = list(days)
    chosen = {p - 1 if p > 0 else len(every) + p for p in positions}
    return [day for index, day in enumerate(every) if index in chosen]


class _Filters(NamedTuple):
    months: Iterable[int] | None
    month_days: Iterable[int] | None
    weekdays: Iterable[nth_weekday] | None


def _filters(rule: Rule, start: date) -> _Filters:
    """Return what the days of a year have to be like, with nothing left open."""
    months, month_days, weekdays = rule.months, rule.month_days, rule.weekdays
    if not month_days and not weekdays:
        if rule.frequency == Frequency.DAILY:
            weekdays = tuple(Weekday(0, day) for day in _WEEK)
        elif rule.frequency == Frequency.WEEKLY:
            weekdays = (Weekday(0, start.weekday()),)
        else:
            month_days = (start.day,)
            months = months or ((start.month,) if rule.frequency == Frequency.YEARLY else ())
    if rule.frequency == Frequency.MONTHLY:
        # With its months named, dateutil counts numbered days in each of them.
        months = months or tuple(_MONTHS)
    return _Filters(months or None, month_days or None, _weekdays(weekdays, in_months=bool(months)))


def _weekdays(weekdays: Iterable[Weekday], *, in_months: bool) -> list[nth_weekday] | None:
    # dateutil asks a day to be among the plain ones and among the numbered ones, where RFC 5545
    # takes either: beside a numbered day the plain ones get all their numbers.
    numbered = any(each.number for each in weekdays)
    every = range(1, 1 + (WEEKS_OF_A_MONTH if in_months else WEEKS_OF_A_YEAR))
    found = []
    for number, day in weekdays:
        numbers = [number or None] if number or not numbered else every
        found += [nth_weekday(day, n) for n in numbers]
    return found or None


def _days_of(year: int, filters: _Filters) -> list[int]:
    """Return how many days after the new year the days are."""
    # dateutil alone would look for the next match until the calendar ends, however many periods
    # are empty. An interval that leads past the end makes it look at this one year.
    new_year = datetime(year, 1, 1)  # noqa: DTZ001 - a day has no time zone
    found = rrule(
        YEARLY,
        dtstart=new_year,
        interval=MAXYEAR,
        bymonth=filters.months,
        bymonthday=filters.month_days,
        byweekday=filters.weekdays,
    )
    return [(day - new_year).days for day in found]
