from contextlib import suppress
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from service_kit.errors import ValidationFailedError
from tasks_service.schemas.recurrence import RecurrenceFrom
from tasks_service.schemas.recurrence_rule import parse_rule
from tasks_service.services import recurrence_days
from tasks_service.services.recurrence import (
    Occurrence,
    next_occurrence,
    occurrence_of,
    require_recurring,
)
from tasks_service.services.recurrence_days import TooFarError, days_after

BERLIN = "Europe/Berlin"


def on(day: str, number: int = 1) -> Occurrence:
    due = {"due_on": date.fromisoformat(day), "due_at": None, "time_zone": None}
    return occurrence_of(due, number=number)


def at(instant: str, time_zone: str = BERLIN) -> Occurrence:
    due_at = datetime.fromisoformat(instant)
    return occurrence_of({"due_on": None, "due_at": due_at, "time_zone": time_zone})


def following(
    rule: str, current: Occurrence, completed: str, recurrence_from: str = "due"
) -> str | None:
    """Say when the task is due next, in the words of the table."""
    completed_at = datetime.fromisoformat(completed) if completed else None
    if completed_at is not None and completed_at.tzinfo is None:
        completed_at = completed_at.replace(tzinfo=UTC)
    found = next_occurrence(
        parse_rule(rule),
        current,
        completed_at=completed_at,
        recurrence_from=RecurrenceFrom(recurrence_from),
    )
    return None if found is None else str(found.due)


@pytest.mark.spec("REC-11")
@pytest.mark.parametrize(
    ("rule", "due", "completed", "expected"),
    [
        # Early, on the day, late by less and by more than one occurrence, on a later one's day.
        ("FREQ=WEEKLY", "2026-11-24", "2026-11-20", "2026-12-01"),
        ("FREQ=WEEKLY", "2026-11-24", "2026-11-24", "2026-12-01"),
        ("FREQ=WEEKLY", "2026-11-24", "2026-11-27", "2026-12-01"),
        ("FREQ=WEEKLY", "2026-11-24", "2026-12-25", "2026-12-29"),
        ("FREQ=WEEKLY", "2026-11-24", "2026-12-01", "2026-12-08"),
        ("FREQ=DAILY;INTERVAL=2", "2026-11-24", "2026-11-25T23:59:59", "2026-11-26"),
        # The day is the one of the zone that the completion is told in.
        ("FREQ=DAILY", "2026-11-24", "2026-11-24T23:30:00-05:00", "2026-11-25"),
        ("FREQ=DAILY", "2026-11-24", "2026-11-25T04:30:00+00:00", "2026-11-26"),
        # What was missed counts, and may have been the last.
        ("FREQ=DAILY;COUNT=3", "2026-11-24", "2026-11-24", "2026-11-25"),
        ("FREQ=DAILY;COUNT=3", "2026-11-24", "2026-11-25", "2026-11-26"),
        ("FREQ=DAILY;COUNT=3", "2026-11-24", "2026-11-26", None),
        ("FREQ=DAILY;UNTIL=20261125", "2026-11-24", "2026-11-24", "2026-11-25"),
        ("FREQ=DAILY;UNTIL=20261125", "2026-11-24", "2026-11-25", None),
        # However long ago it was due, intervals keep their beat.
        ("FREQ=DAILY;INTERVAL=7", "0001-01-01", "2026-11-24", "2026-11-30"),
        ("FREQ=YEARLY;INTERVAL=4", "1600-02-29", "2026-11-24", "2028-02-29"),
    ],
)
def test_the_next_due_comes_after_the_due_and_the_completion(
    rule: str, due: str, completed: str, expected: str | None
) -> None:
    assert following(rule, on(due), completed) == expected


@pytest.mark.spec("REC-11", "REC-8")
@pytest.mark.parametrize(
    ("completed", "expected"),
    [
        ("2026-03-27T07:59:59+00:00", "2026-03-28 08:00:00+00:00"),
        ("2026-03-28T07:59:59+00:00", "2026-03-28 08:00:00+00:00"),
        ("2026-03-28T08:00:00+00:00", "2026-03-29 07:00:00+00:00"),
        ("2026-03-29T08:59:59+02:00", "2026-03-29 07:00:00+00:00"),
        ("2026-03-29T09:00:00+02:00", "2026-03-30 07:00:00+00:00"),
    ],
)
def test_the_next_instant_comes_after_the_instant_of_the_completion(
    completed: str, expected: str
) -> None:
    due = at("2026-03-27T08:00:00Z")

    assert following("FREQ=DAILY", due, completed) == expected


@pytest.mark.spec("REC-12")
@pytest.mark.parametrize(
    ("rule", "due", "completed", "expected"),
    [
        ("FREQ=DAILY;INTERVAL=3", "2026-11-24", "2026-11-25", "2026-11-28"),
        ("FREQ=DAILY;INTERVAL=3", "2026-11-24", "2026-11-20", "2026-11-23"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO", "2026-11-23", "2026-11-25", "2026-12-07"),
        ("FREQ=MONTHLY", "2026-12-24", "2027-01-31", "2027-03-31"),
        ("FREQ=MONTHLY;BYMONTHDAY=1", "2026-11-01", "2026-11-15", "2026-12-01"),
        ("FREQ=YEARLY", "2026-11-24", "2028-02-29", "2032-02-29"),
        ("FREQ=DAILY;COUNT=2", "2026-11-24", "2027-05-01", "2027-05-02"),
        ("FREQ=DAILY;COUNT=1", "2026-11-24", "2026-11-24", None),
        ("FREQ=DAILY;UNTIL=20261201", "2026-11-24", "2026-12-01", None),
        # It would fit no year that is left to it from an odd one on.
        ("FREQ=YEARLY;INTERVAL=2;BYMONTH=2;BYMONTHDAY=29", "2028-02-29", "2029-01-01", None),
    ],
)
def test_from_completion_the_rule_starts_anew_that_day(
    rule: str, due: str, completed: str, expected: str | None
) -> None:
    assert following(rule, on(due), completed, "completion") == expected


@pytest.mark.spec("REC-12", "REC-8")
@pytest.mark.parametrize(
    ("completed", "expected"),
    [
        # 00:30 on the 28th in Berlin, which is still the 27th in UTC.
        ("2026-03-27T23:30:00+00:00", "2026-03-29 07:00:00+00:00"),
        ("2026-03-27T22:30:00+00:00", "2026-03-28 08:00:00+00:00"),
    ],
)
def test_from_completion_the_time_of_day_stays_and_the_day_is_the_zones(
    completed: str, expected: str
) -> None:
    due = at("2026-01-01T08:00:00Z")

    assert following("FREQ=DAILY", due, completed, "completion") == expected


@pytest.mark.spec("REC-13")
def test_skipping_gives_what_follows_the_due_until_nothing_does() -> None:
    rule = "FREQ=DAILY;COUNT=3"

    assert following(rule, on("2026-11-24"), "") == "2026-11-25"
    assert following(rule, on("2026-11-24", number=2), "") == "2026-11-25"
    assert following(rule, on("2026-11-24", number=3), "") is None
    assert following(rule, on("2026-11-24"), "", "completion") == "2026-11-25"


@pytest.mark.spec("REC-11", "REC-12", "REC-13")
@pytest.mark.parametrize("recurrence_from", RecurrenceFrom)
def test_each_occurrence_is_numbered_as_count_counts(recurrence_from: RecurrenceFrom) -> None:
    rule = parse_rule("FREQ=DAILY;COUNT=10")

    second = next_occurrence(rule, on("2026-11-24"), recurrence_from=recurrence_from)
    assert second is not None
    late = datetime(2026, 11, 28, tzinfo=UTC)
    after = next_occurrence(rule, second, completed_at=late, recurrence_from=recurrence_from)

    assert second.number == 2
    assert after is not None
    assert after.due == date(2026, 11, 29)
    assert after.number == (6 if recurrence_from == RecurrenceFrom.DUE else 3)


@pytest.mark.spec("REC-8")
def test_a_time_the_clocks_skip_does_not_move_the_occurrences_that_follow() -> None:
    rule, current = parse_rule("FREQ=DAILY"), at("2026-03-28T02:30:00+01:00")
    shown = []

    for _ in range(3):
        found = next_occurrence(rule, current)
        assert found is not None
        assert found.at is not None
        shown.append(f"{found.at.astimezone(ZoneInfo(BERLIN)):%d. %H:%M}")
        # As from a table that holds the due and, beside it, what goes with it.
        due = {"due_on": None, "due_at": found.at, "time_zone": found.time_zone}
        current = occurrence_of(due, local=found.local, number=found.number)

    assert shown == ["29. 03:30", "30. 02:30", "31. 02:30"]


@pytest.mark.spec("REC-10")
@pytest.mark.parametrize(
    ("due", "rule"),
    [
        ("2026-11-24", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"),
        ("2026-11-24", "FREQ=MONTHLY;BYMONTH=4,6;BYMONTHDAY=31"),
        ("2026-11-24", "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30,31"),
        ("2026-11-24", "FREQ=DAILY;INTERVAL=1000;BYMONTH=2;BYMONTHDAY=31"),
        ("2025-02-28", "FREQ=YEARLY;INTERVAL=2;BYMONTH=2;BYMONTHDAY=29"),
        ("2026-11-24", "FREQ=YEARLY;INTERVAL=101"),
        ("2026-11-24", "FREQ=DAILY;BYDAY=MO;BYSETPOS=2"),
        ("2026-11-24", "FREQ=WEEKLY;BYDAY=MO;BYSETPOS=2"),
        ("2026-11-24", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYSETPOS=32"),
        ("2026-11-24", "FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=366"),
        ("2026-11-24", "FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-366;COUNT=1000"),
        ("2026-11-24", "FREQ=MONTHLY;BYDAY=1MO;BYMONTHDAY=8"),
        ("2026-11-24", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;UNTIL=99991231"),
    ],
)
def test_a_rule_that_comes_to_nothing_is_refused_after_a_bounded_search(
    monkeypatch: pytest.MonkeyPatch, due: str, rule: str
) -> None:
    looks = count_looks(monkeypatch)

    with pytest.raises(ValidationFailedError) as refused:
        require_recurring(parse_rule(rule), on(due))

    assert refused.value.extensions["errors"][0]["pointer"] == "#/recurrence"
    assert "should name a day within 100 years" in refused.value.detail
    assert len(looks) <= 14


@pytest.mark.spec("REC-10")
@pytest.mark.parametrize("recurrence_from", RecurrenceFrom)
@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY",
        "FREQ=DAILY;INTERVAL=1000;COUNT=1000",
        "FREQ=DAILY;UNTIL=99991231",
        "FREQ=WEEKLY;INTERVAL=1000;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYSETPOS=7",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=SU",
        "FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR,SA,53SU;BYSETPOS=366",
    ],
)
def test_however_late_the_completion_the_search_is_bounded(
    monkeypatch: pytest.MonkeyPatch, rule: str, recurrence_from: RecurrenceFrom
) -> None:
    looks = count_looks(monkeypatch)

    next_occurrence(
        parse_rule(rule),
        on("0001-01-01"),
        completed_at=datetime(9000, 1, 1, tzinfo=UTC),
        recurrence_from=recurrence_from,
    )

    assert len(looks) <= 14


@pytest.mark.spec("REC-10")
def test_the_week_at_the_end_of_the_hundredth_year_is_counted_whole() -> None:
    rule, start = parse_rule("FREQ=WEEKLY;BYDAY=MO,SU;BYSETPOS=-1"), date(2026, 1, 1)
    last = start

    with suppress(TooFarError):
        for day in days_after(rule, start, start):
            last = day

    # A Sunday: the Monday after it is the first of its week, whose Sunday is in the next year.
    assert last == date(2126, 12, 29)


def count_looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Give a list that grows by the year each time dateutil looks at one."""
    looks: list[int] = []
    look = recurrence_days._days_of

    def counted(year: int, filters: recurrence_days._Filters) -> list[int]:
        looks.append(year)
        return look(year, filters)

    monkeypatch.setattr(recurrence_days, "_days_of", counted)
    return looks
