"""Any rule against the words of the standard, read day by day and without dateutil."""

from calendar import monthrange
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise, takewhile
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from service_kit.errors import ValidationFailedError
from tasks_service.schemas.recurrence import RecurrenceFrom, RecurrencePreviewRequest
from tasks_service.schemas.recurrence_rule import Rule, parse_rule
from tasks_service.services.recurrence import (
    Occurrence,
    next_occurrence,
    occurrence_of,
    preview_recurrence,
)
from tasks_service.services.recurrence_days import TooFarError, days_after

CHECKS = settings(deadline=None, derandomize=False, print_blob=True, database=None)
DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "Africa/Cairo",
    "Africa/Casablanca",
    "America/Nuuk",
    "America/Sao_Paulo",
    "Pacific/Apia",
    "Pacific/Kwajalein",
    "UTC",
)
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Parts:
    """A rule before it is written; `byday` holds pairs of number (0 for every) and day."""

    freq: str
    interval: int = 1
    bymonth: list[int] = field(default_factory=list)
    bymonthday: list[int] = field(default_factory=list)
    byday: list[tuple[int, int]] = field(default_factory=list)
    bysetpos: list[int] = field(default_factory=list)
    wkst: int = 0
    end: str = ""

    def text(self) -> str:
        byday = [f"{number or ''}{DAYS[day]}" for number, day in self.byday]
        lists: dict[str, list[Any]] = {
            "BYMONTH": self.bymonth,
            "BYMONTHDAY": self.bymonthday,
            "BYDAY": byday,
            "BYSETPOS": self.bysetpos,
        }
        written = [f"{name}={','.join(map(str, each))}" for name, each in lists.items() if each]
        fixed = [f"FREQ={self.freq}", f"INTERVAL={self.interval}", f"WKST={DAYS[self.wkst]}"]
        return ";".join(fixed + written) + self.end


def signed(highest: int) -> st.SearchStrategy[int]:
    return st.integers(1, highest) | st.integers(-highest, -1)


@st.composite
def rules(draw: st.DrawFn) -> Parts:
    freq = draw(st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]))
    bymonth = draw(st.lists(st.integers(1, 12), max_size=4))
    takes_days = freq in {"DAILY", "MONTHLY"} or (freq == "YEARLY" and bool(bymonth))
    bymonthday = draw(st.lists(signed(31), max_size=6)) if takes_days else []
    highest = {"MONTHLY": 5, "YEARLY": 5 if bymonth else 53}.get(freq, 0)
    numbers = st.just(0) | signed(highest) if highest else st.just(0)
    byday = draw(st.lists(st.tuples(numbers, st.integers(0, 6)), max_size=5))
    chosen_from = bymonth or bymonthday or byday
    small = signed(5) | signed(366)
    return Parts(
        freq,
        draw(st.integers(1, 6) | st.integers(1, 60)),
        bymonth,
        bymonthday,
        byday,
        draw(st.lists(small, max_size=3)) if chosen_from else [],
        draw(st.integers(0, 6)),
    )


@st.composite
def ended_rules(draw: st.DrawFn) -> Parts:
    parts = draw(rules())
    count = draw(st.none() | st.integers(1, 30))
    end = "" if count is None else f";COUNT={count}"
    return Parts(**{**vars(parts), "end": end})


starts = st.dates(date(1995, 1, 1), date(2035, 12, 31))
locals_ = st.datetimes(datetime(1990, 1, 1), datetime(2035, 1, 1))  # noqa: DTZ001 - of any zone


def period_of(parts: Parts, start: date, day: date) -> int:
    """Count the periods from the one of the start."""
    if parts.freq == "DAILY":
        return (day - start).days
    if parts.freq == "WEEKLY":
        begin = start - (start.weekday() - parts.wkst) % 7 * ONE_DAY
        return (day - begin).days // 7
    if parts.freq == "MONTHLY":
        return (day.year - start.year) * 12 + day.month - start.month
    return day.year - start.year


def fits(parts: Parts, start: date, day: date) -> bool:
    """Tell whether each BY part has the day, what is left open being that of the start."""
    length = monthrange(day.year, day.month)[1]
    bymonth, bymonthday, byday = parts.bymonth, parts.bymonthday, parts.byday
    if not bymonthday and not byday:
        if parts.freq == "WEEKLY":
            byday = [(0, start.weekday())]
        elif parts.freq in {"MONTHLY", "YEARLY"}:
            bymonthday = [start.day]
            bymonth = bymonth or ([start.month] if parts.freq == "YEARLY" else [])
    if bymonth and day.month not in bymonth:
        return False
    if bymonthday and not {day.day, day.day - length - 1} & set(bymonthday):
        return False
    if parts.freq == "YEARLY" and not parts.bymonth:
        passed, left = day.timetuple().tm_yday - 1, date(day.year, 12, 31).timetuple().tm_yday
        left -= passed + 1
    else:
        passed, left = day.day - 1, length - day.day
    names = {
        (0, day.weekday()),
        (passed // 7 + 1, day.weekday()),
        (-(left // 7) - 1, day.weekday()),
    }
    return not byday or bool(names & set(byday))


def days_by_hand(parts: Parts, start: date, last: date) -> Iterator[date]:
    """Yield the days after the start and up to the last, from whole periods."""
    periods: dict[int, list[date]] = {}
    begin = date(start.year, 1, 1) - 7 * ONE_DAY
    for offset in range((date(last.year + 1, 1, 7) - begin).days):
        day = begin + offset * ONE_DAY
        period = period_of(parts, start, day)
        if period % parts.interval == 0 and fits(parts, start, day):
            periods.setdefault(period, []).append(day)
    for every in periods.values():
        positions = {p - 1 if p > 0 else len(every) + p for p in parts.bysetpos}
        for index, day in enumerate(every):
            if start < day <= last and (not parts.bysetpos or index in positions):
                yield day


def days_until(last: date, rule: Rule, start: date, after: date) -> list[date]:
    found: list[date] = []
    with suppress(TooFarError):
        found.extend(takewhile(lambda day: day <= last, days_after(rule, start, after)))
    return found


@pytest.mark.spec("REC-1", "REC-2", "REC-5", "REC-6", "REC-9")
@settings(CHECKS, max_examples=120)
@given(rules(), starts)
def test_a_rule_names_the_days_that_the_standard_says_and_no_others(
    parts: Parts, start: date
) -> None:
    last = date(start.year + 2, 12, 31)

    found = days_until(last, parse_rule(parts.text()), start, start)

    assert found == list(days_by_hand(parts, start, last))


@pytest.mark.spec("REC-10")
@settings(CHECKS, max_examples=60)
@given(rules(), starts, st.integers(0, 3000))
def test_looking_from_a_later_day_finds_the_same_days(
    parts: Parts, start: date, later: int
) -> None:
    rule, after = parse_rule(parts.text()), start + later * ONE_DAY
    last = after + 800 * ONE_DAY

    found = days_until(last, rule, start, after)

    assert found == [day for day in days_until(last, rule, start, start) if day > after]


@pytest.mark.spec("REC-4")
@settings(CHECKS, max_examples=60)
@given(rules())
def test_the_canonical_form_is_its_own_and_means_the_same(parts: Parts) -> None:
    rule = parse_rule(parts.text())
    again = parse_rule(str(rule))

    assert (again, str(again)) == (rule, str(rule))


def some_due(parts: Parts, local: datetime, zone: str) -> dict[str, Any]:
    """Give a due that the rule can start from."""
    due_at = local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    due = {"due_at": due_at.isoformat(), "time_zone": zone}
    assume(comes_to_something(parts, **due))
    return due


def comes_to_something(parts: Parts, **due: str) -> bool:
    try:
        preview_recurrence(RecurrencePreviewRequest(recurrence=parts.text(), **due))
    except ValidationFailedError:
        return False
    return True


def shown(instant: datetime, zone: str) -> datetime:
    return instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def gap_before(instant: datetime, zone: str) -> timedelta:
    """Say by how much the clocks went forward within the two hours before."""
    earlier = instant - timedelta(hours=2)
    return shown(instant, zone) - shown(earlier, zone) - (instant - earlier)


@pytest.mark.spec("REC-8")
@settings(CHECKS, max_examples=60)
@given(ended_rules(), locals_, st.sampled_from(ZONES))
def test_instants_increase_and_show_the_time_of_day_or_are_moved_by_a_gap(
    parts: Parts, local: datetime, zone: str
) -> None:
    due = some_due(parts, local, zone)
    preview = preview_recurrence(RecurrencePreviewRequest(recurrence=parts.text(), count=30, **due))

    instants = [each for each in preview.occurrences if isinstance(each, datetime)]
    assert all(one < other for one, other in pairwise(instants))
    time_of_day = shown(instants[0], zone).time()
    for instant in instants:
        if shown(instant, zone).time() != time_of_day:
            meant = datetime.combine(shown(instant, zone).date(), time_of_day)
            meant -= ONE_DAY if meant > shown(instant, zone) else timedelta()
            assert shown(instant, zone) - meant == gap_before(instant, zone)


@pytest.mark.spec("REC-14", "REC-16")
@settings(CHECKS, max_examples=60)
@given(ended_rules(), starts, st.integers(1, 30))
def test_a_longer_preview_begins_with_the_shorter_one(
    parts: Parts, due_on: date, count: int
) -> None:
    fields = {"recurrence": parts.text(), "due_on": due_on.isoformat()}
    assume(comes_to_something(parts, due_on=due_on.isoformat()))

    short = preview_recurrence(RecurrencePreviewRequest(count=count, **fields))
    long = preview_recurrence(RecurrencePreviewRequest(count=count + 1, **fields))

    assert long.occurrences[:count] == short.occurrences
    assert not short.ends or long == short


@pytest.mark.spec("REC-11", "REC-13", "REC-14")
@settings(CHECKS, max_examples=60)
@given(ended_rules(), locals_, st.sampled_from(ZONES), st.booleans())
def test_completing_each_occurrence_when_it_is_due_goes_through_the_preview(
    parts: Parts, local: datetime, zone: str, skips: bool
) -> None:
    due = some_due(parts, local, zone)
    request = RecurrencePreviewRequest(recurrence=parts.text(), count=8, **due)
    preview, rule = preview_recurrence(request), parse_rule(parts.text())

    current: Occurrence | None = occurrence_of(dict(request))
    found: list[date | datetime] = []
    while current is not None and len(found) < len(preview.occurrences):
        found.append(current.due)
        current = next_occurrence(rule, current, completed_at=None if skips else current.at)

    assert found == preview.occurrences
    assert current is None or not preview.ends


@pytest.mark.spec("REC-11", "REC-12", "REC-15")
@settings(CHECKS, max_examples=60)
@given(
    ended_rules(),
    locals_,
    st.sampled_from(ZONES),
    st.sampled_from(RecurrenceFrom),
    st.integers(-10_000, 100_000),
)
def test_the_next_due_is_the_first_of_the_preview_after_the_completion(
    parts: Parts, local: datetime, zone: str, recurrence_from: RecurrenceFrom, late: int
) -> None:
    due = some_due(parts, local, zone)
    completed_at = datetime.fromisoformat(due["due_at"]) + timedelta(minutes=late)
    request = RecurrencePreviewRequest(
        recurrence=parts.text(),
        after=completed_at.isoformat(),
        recurrence_from=recurrence_from,
        count=1,
        **due,
    )

    preview = preview_recurrence(request)
    found = next_occurrence(
        parse_rule(parts.text()),
        occurrence_of(dict(request)),
        completed_at=completed_at,
        recurrence_from=recurrence_from,
    )

    assert preview.occurrences == ([] if found is None else [found.due])
    assert found is None or found.at is None or found.at > completed_at


@pytest.mark.spec("REC-8", "REC-10", "REC-17")
@settings(CHECKS, max_examples=60)
@given(
    ended_rules(),
    st.datetimes(timezones=st.just(UTC)),
    st.none() | st.datetimes(timezones=st.just(UTC)),
    st.sampled_from(sorted(available_timezones())),
    st.sampled_from(RecurrenceFrom),
)
def test_at_any_time_in_any_zone_instants_increase_or_the_rule_is_refused(
    parts: Parts,
    due_at: datetime,
    after: datetime | None,
    zone: str,
    recurrence_from: RecurrenceFrom,
) -> None:
    request = RecurrencePreviewRequest(
        recurrence=parts.text(),
        due_at=due_at.isoformat(),
        time_zone=zone,
        after=after and after.isoformat(),
        recurrence_from=recurrence_from,
    )

    try:
        instants = preview_recurrence(request).occurrences
    except ValidationFailedError:
        return

    assert instants == sorted(set(instants))
    if after is None:
        assert instants[0] == due_at
