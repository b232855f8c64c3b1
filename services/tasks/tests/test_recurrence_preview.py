from typing import Any

import pytest
from httpx import AsyncClient

PREVIEW = "/api/v1/recurrence/preview"


async def preview(client: AsyncClient, recurrence: str, **fields: Any) -> Any:
    response = await client.post(PREVIEW, json={"recurrence": recurrence, **fields})
    assert response.status_code == 200, response.text
    return response.json()


def days(text: str) -> list[str]:
    """Spell out `1997-09-02 10-02 1998-01-02`: a year holds until the next one."""
    spelled, year = [], ""
    for word in text.split():
        year = word[:-6] or year
        spelled.append(f"{year}-{word[-5:]}")
    return spelled


@pytest.mark.spec("REC-14")
async def test_a_preview_gives_the_canonical_rule_ten_occurrences_and_that_they_go_on(
    alice: AsyncClient,
) -> None:
    found = await preview(alice, "byday=th,mo;freq=weekly", due_on="2026-11-24")

    assert found == {
        "recurrence": "FREQ=WEEKLY;BYDAY=MO,TH",
        "occurrences": days("2026-11-24 11-26 11-30 12-03 12-07 12-10 12-14 12-17 12-21 12-24"),
        "ends": False,
    }


@pytest.mark.spec("REC-14")
async def test_a_preview_gives_instants_in_utc(alice: AsyncClient) -> None:
    found = await preview(
        alice,
        "FREQ=DAILY",
        due_at="2026-06-01T09:00:00.25+02:00",
        time_zone="Europe/Berlin",
        count=2,
    )

    assert found["occurrences"] == ["2026-06-01T07:00:00.250000Z", "2026-06-02T07:00:00.250000Z"]


# What RFC 5545 (§3.8.5.3) says these rules give, from the same start.
@pytest.mark.spec("REC-1", "REC-2", "REC-5", "REC-6", "REC-7", "REC-9")
@pytest.mark.parametrize(
    ("due_on", "rule", "expected"),
    [
        ("1997-09-02", "FREQ=DAILY;INTERVAL=10;COUNT=5", "1997-09-02 09-12 09-22 10-02 10-12"),
        ("1997-09-02", "FREQ=DAILY;UNTIL=19970905", "1997-09-02 09-03 09-04 09-05"),
        ("1998-01-30", "FREQ=DAILY;BYMONTH=1", "1998-01-30 01-31 1999-01-01 01-02"),
        (
            "1998-01-30",
            "FREQ=YEARLY;BYMONTH=1;BYDAY=SU,MO,TU,WE,TH,FR,SA",
            "1998-01-30 01-31 1999-01-01 01-02",
        ),
        (
            "1997-09-02",
            "FREQ=WEEKLY;COUNT=10",
            "1997-09-02 09-09 09-16 09-23 09-30 10-07 10-14 10-21 10-28 11-04",
        ),
        ("1997-09-02", "FREQ=WEEKLY;INTERVAL=2;WKST=SU", "1997-09-02 09-16 09-30 10-14 10-28"),
        (
            "1997-09-02",
            "FREQ=WEEKLY;COUNT=10;WKST=SU;BYDAY=TU,TH",
            "1997-09-02 09-04 09-09 09-11 09-16 09-18 09-23 09-25 09-30 10-02",
        ),
        (
            "1997-09-01",
            "FREQ=WEEKLY;INTERVAL=2;UNTIL=19971224;WKST=SU;BYDAY=MO,WE,FR",
            (
                "1997-09-01 09-03 09-05 09-15 09-17 09-19 09-29 10-01 10-03 10-13 10-15 10-17 "
                "10-27 10-29 10-31 11-10 11-12 11-14 11-24 11-26 11-28 12-08 12-10 12-12 12-22 "
                "12-24"
            ),
        ),
        (
            "1997-09-02",
            "FREQ=WEEKLY;INTERVAL=2;COUNT=8;WKST=SU;BYDAY=TU,TH",
            "1997-09-02 09-04 09-16 09-18 09-30 10-02 10-14 10-16",
        ),
        (
            "1997-09-05",
            "FREQ=MONTHLY;COUNT=10;BYDAY=1FR",
            "1997-09-05 10-03 11-07 12-05 1998-01-02 02-06 03-06 04-03 05-01 06-05",
        ),
        (
            "1997-09-07",
            "FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU",
            "1997-09-07 09-28 11-02 11-30 1998-01-04 01-25 03-01 03-29 05-03 05-31",
        ),
        (
            "1997-09-22",
            "FREQ=MONTHLY;COUNT=6;BYDAY=-2MO",
            "1997-09-22 10-20 11-17 12-22 1998-01-19 02-16",
        ),
        (
            "1997-09-28",
            "FREQ=MONTHLY;BYMONTHDAY=-3",
            "1997-09-28 10-29 11-28 12-29 1998-01-29 02-26",
        ),
        (
            "1997-09-02",
            "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=2,15",
            "1997-09-02 09-15 10-02 10-15 11-02 11-15 12-02 12-15 1998-01-02 01-15",
        ),
        (
            "1997-09-30",
            "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=1,-1",
            "1997-09-30 10-01 10-31 11-01 11-30 12-01 12-31 1998-01-01 01-31 02-01",
        ),
        (
            "1997-09-10",
            "FREQ=MONTHLY;INTERVAL=18;COUNT=10;BYMONTHDAY=10,11,12,13,14,15",
            "1997-09-10 09-11 09-12 09-13 09-14 09-15 1999-03-10 03-11 03-12 03-13",
        ),
        (
            "1997-09-02",
            "FREQ=MONTHLY;INTERVAL=2;BYDAY=TU",
            "1997-09-02 09-09 09-16 09-23 09-30 11-04 11-11 11-18 11-25 1998-01-06 01-13",
        ),
        (
            "1997-06-10",
            "FREQ=YEARLY;COUNT=5;BYMONTH=6,7",
            "1997-06-10 07-10 1998-06-10 07-10 1999-06-10",
        ),
        (
            "1997-03-10",
            "FREQ=YEARLY;INTERVAL=2;COUNT=10;BYMONTH=1,2,3",
            "1997-03-10 1999-01-10 02-10 03-10 2001-01-10 02-10 03-10 2003-01-10 02-10 03-10",
        ),
        ("1997-05-19", "FREQ=YEARLY;BYDAY=20MO", "1997-05-19 1998-05-18 1999-05-17"),
        (
            "1997-03-13",
            "FREQ=YEARLY;BYMONTH=3;BYDAY=TH",
            "1997-03-13 03-20 03-27 1998-03-05 03-12 03-19 03-26 1999-03-04",
        ),
        (
            "1997-09-02",
            "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13",
            "1997-09-02 1998-02-13 03-13 11-13 1999-08-13 2000-10-13",
        ),
        (
            "1997-09-13",
            "FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13",
            "1997-09-13 10-11 11-08 12-13 1998-01-10 02-07 03-07 04-11 05-09 06-13",
        ),
        (
            "1996-11-05",
            "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8",
            "1996-11-05 2000-11-07 2004-11-02",
        ),
        (
            "1997-09-04",
            "FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3",
            "1997-09-04 10-07 11-06",
        ),
        (
            "1997-09-29",
            "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2",
            "1997-09-29 10-30 11-27 12-30 1998-01-29 02-26 03-30",
        ),
        (
            "1997-08-05",
            "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO",
            "1997-08-05 08-10 08-19 08-24",
        ),
        (
            "1997-08-05",
            "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU",
            "1997-08-05 08-17 08-19 08-31",
        ),
        (
            "2007-01-15",
            "FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5",
            "2007-01-15 01-30 02-15 03-15 03-30",
        ),
    ],
)
async def test_a_rule_gives_what_the_standard_says(
    alice: AsyncClient, due_on: str, rule: str, expected: str
) -> None:
    occurrences = days(expected)

    found = await preview(alice, rule, due_on=due_on, count=len(occurrences))

    assert found["occurrences"] == occurrences
    assert found["ends"] is ("COUNT" in rule or "UNTIL" in rule)


@pytest.mark.spec("REC-2", "REC-5", "REC-6")
@pytest.mark.parametrize(
    ("due_on", "rule", "expected"),
    [
        # The 31st, 29 February, also past a year divisible by a hundred.
        ("2026-01-31", "FREQ=MONTHLY", "2026-01-31 03-31 05-31 07-31 08-31 10-31 12-31"),
        ("2026-01-29", "FREQ=MONTHLY", "2026-01-29 03-29 04-29"),
        ("2096-02-29", "FREQ=YEARLY", "2096-02-29 2104-02-29 2108-02-29"),
        ("2024-02-29", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1", "2024-02-29 2025-02-28 2026-02-28"),
        ("2026-01-01", "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=29", "2026-01-01 2028-02-29 2032-02-29"),
        ("2026-01-31", "FREQ=MONTHLY;COUNT=3", "2026-01-31 03-31 05-31"),
        # The due is the first occurrence, and the first that counts, whether it fits or not.
        ("2026-11-24", "FREQ=WEEKLY;BYDAY=MO;COUNT=2", "2026-11-24 11-30"),
        ("2026-11-24", "FREQ=DAILY;COUNT=1", "2026-11-24"),
        ("2026-11-24", "FREQ=DAILY;UNTIL=20261124", "2026-11-24"),
        ("2026-11-24", "FREQ=DAILY;UNTIL=20200101", "2026-11-24"),
        # Numbered days beside plain ones.
        ("2026-11-01", "FREQ=MONTHLY;BYDAY=MO,1TU", "2026-11-01 11-02 11-03 11-09 11-16 11-23"),
        ("2026-01-01", "FREQ=YEARLY;BYDAY=1MO,-1FR", "2026-01-01 01-05 12-25 2027-01-04 12-31"),
        # A position counts in the whole week, its days before the due included.
        (
            "2026-11-25",
            "FREQ=WEEKLY;BYDAY=MO,WE,FR;BYSETPOS=1",
            "2026-11-25 11-30 12-07",
        ),
        # A week that begins in one year and ends in the next.
        ("2026-12-24", "FREQ=WEEKLY;BYDAY=MO,SU;BYSETPOS=-1", "2026-12-24 12-27 2027-01-03"),
        ("2027-01-01", "FREQ=WEEKLY;BYDAY=MO,SU;BYSETPOS=2", "2027-01-01 01-03 01-10"),
        ("2026-12-30", "FREQ=WEEKLY;INTERVAL=2;BYDAY=FR", "2026-12-30 2027-01-01 01-15"),
        # The calendar's first and last days.
        ("0001-01-01", "FREQ=WEEKLY;BYDAY=SU", "0001-01-01 01-07 01-14"),
        ("0001-01-01", "FREQ=WEEKLY;BYDAY=SU;BYSETPOS=1", "0001-01-01 01-07 01-14"),
    ],
)
async def test_occurrences_are_the_days_the_rule_names(
    alice: AsyncClient, due_on: str, rule: str, expected: str
) -> None:
    occurrences = days(expected)

    found = await preview(alice, rule, due_on=due_on, count=len(occurrences))

    assert found["occurrences"] == occurrences


@pytest.mark.spec("REC-10", "REC-16")
@pytest.mark.parametrize(
    ("due_on", "rule"),
    [
        ("9999-12-24", "FREQ=WEEKLY;BYDAY=SA,FR"),
        ("9999-12-24", "FREQ=WEEKLY;BYDAY=SA,FR;BYSETPOS=1"),
        ("9999-12-24", "FREQ=DAILY;INTERVAL=7"),
    ],
)
async def test_a_rule_ends_with_the_calendar(alice: AsyncClient, due_on: str, rule: str) -> None:
    found = await preview(alice, rule, due_on=due_on)

    assert (found["occurrences"][-1], found["ends"]) == ("9999-12-31", True)


BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"


@pytest.mark.spec("REC-8")
@pytest.mark.parametrize(
    ("time_zone", "due_at", "rule", "expected"),
    [
        # The same time of day on either side of both changes.
        (
            BERLIN,
            "2026-03-28T08:00:00Z",
            "FREQ=DAILY",
            ["03-28T08:00", "03-29T07:00", "03-30T07:00"],
        ),
        (BERLIN, "2026-10-24T07:00:00Z", "FREQ=DAILY", ["10-24T07:00", "10-25T08:00"]),
        (NEW_YORK, "2026-03-07T14:00:00Z", "FREQ=DAILY", ["03-07T14:00", "03-08T13:00"]),
        (NEW_YORK, "2026-10-31T13:00:00Z", "FREQ=DAILY", ["10-31T13:00", "11-01T14:00"]),
        (LORD_HOWE, "2026-04-03T22:00:00Z", "FREQ=DAILY", ["04-03T22:00", "04-04T22:30"]),
        (LORD_HOWE, "2026-10-02T22:30:00Z", "FREQ=DAILY", ["10-02T22:30", "10-03T22:00"]),
        ("Asia/Kolkata", "2026-03-28T03:30:00Z", "FREQ=DAILY", ["03-28T03:30", "03-29T03:30"]),
        # 02:30 does not exist on 29 March: 03:30, and 02:30 again on the 30th.
        (
            BERLIN,
            "2026-03-28T01:30:00Z",
            "FREQ=DAILY",
            ["03-28T01:30", "03-29T01:30", "03-30T00:30"],
        ),
        (
            NEW_YORK,
            "2026-03-01T07:30:00Z",
            "FREQ=WEEKLY",
            ["03-01T07:30", "03-08T07:30", "03-15T06:30"],
        ),
        # Clocks go from 02:00 to 02:30: 02:15 is 02:45 that day.
        (
            LORD_HOWE,
            "2026-10-02T15:45:00Z",
            "FREQ=DAILY",
            ["10-02T15:45", "10-03T15:45", "10-04T15:15"],
        ),
        # 02:30 is shown twice on 25 October: the first is still in summer time.
        (
            BERLIN,
            "2026-10-24T00:30:00Z",
            "FREQ=DAILY",
            ["10-24T00:30", "10-25T00:30", "10-26T01:30"],
        ),
        (NEW_YORK, "2026-10-31T05:30:00Z", "FREQ=DAILY", ["10-31T05:30", "11-01T05:30"]),
        (LORD_HOWE, "2026-04-03T14:45:00Z", "FREQ=DAILY", ["04-03T14:45", "04-04T14:45"]),
        # A due at the second 02:30 is what it is, and 02:30 is the time of day.
        (BERLIN, "2026-10-25T01:30:00Z", "FREQ=DAILY", ["10-25T01:30", "10-26T01:30"]),
        # The day is the one in the zone: Sunday evening in New York is Monday in UTC.
        (
            NEW_YORK,
            "2026-06-01T02:00:00Z",
            "FREQ=WEEKLY;BYDAY=SU,MO",
            ["06-01T02:00", "06-02T02:00", "06-08T02:00"],
        ),
        # Midnight does not exist where clocks go forward at midnight.
        (
            "Africa/Cairo",
            "2026-04-22T22:00:00Z",
            "FREQ=DAILY",
            ["04-22T22:00", "04-23T22:00", "04-24T21:00"],
        ),
    ],
)
async def test_an_occurrence_keeps_its_time_of_day(
    alice: AsyncClient, time_zone: str, due_at: str, rule: str, expected: list[str]
) -> None:
    found = await preview(alice, rule, due_at=due_at, time_zone=time_zone, count=len(expected))

    assert found["occurrences"] == [f"2026-{each}:00Z" for each in expected]


@pytest.mark.spec("REC-8", "REC-6")
async def test_a_day_that_the_date_line_took_is_skipped_and_not_counted(
    alice: AsyncClient,
) -> None:
    found = await preview(
        alice,
        "FREQ=DAILY;COUNT=3",
        due_at="2011-12-29T10:00:00-10:00",
        time_zone="Pacific/Apia",
    )

    assert found["occurrences"] == [
        "2011-12-29T20:00:00Z",
        "2011-12-30T20:00:00Z",
        "2011-12-31T20:00:00Z",
    ]


@pytest.mark.spec("REC-7")
@pytest.mark.parametrize(
    ("until", "last"),
    [
        ("20260331T070000Z", "2026-03-31T07:00:00Z"),
        ("20260331T065959Z", "2026-03-30T07:00:00Z"),
    ],
)
async def test_until_is_inclusive_to_the_second(alice: AsyncClient, until: str, last: str) -> None:
    due = {"due_at": "2026-03-28T08:00:00Z", "time_zone": BERLIN}

    found = await preview(alice, f"FREQ=DAILY;UNTIL={until}", **due)

    assert (found["occurrences"][-1], found["ends"]) == (last, True)


IN_BERLIN = {"due_at": "2026-03-28T08:00:00Z", "time_zone": BERLIN}
EARLY = {"due_at": "0001-01-01T00:00:00Z", "time_zone": NEW_YORK}
LATE = {"due_at": "9999-12-01T00:00:00Z", "time_zone": NEW_YORK}


@pytest.mark.spec("REC-7", "REC-10", "REC-15", "REC-17")
@pytest.mark.parametrize(
    ("fields", "pointer", "detail"),
    [
        ({}, "#/due_on", "needs due_on, or due_at with time_zone"),
        ({"due_on": "2026-01-01", **IN_BERLIN}, "#/due_on", "exclude each other"),
        ({"due_at": "2026-01-01T00:00:00Z"}, "#/time_zone", "needs the zone of its clock"),
        ({"due_on": "2026-01-01", "time_zone": BERLIN}, "#/time_zone", "needs due_at"),
        (EARLY, "#/due_at", "within the years 1 to 9999 in America/New_York"),
        (
            {"due_on": "2026-01-01", "recurrence": "FREQ=DAILY;UNTIL=20261231T225959Z"},
            "#/recurrence",
            "UNTIL=20261231",
        ),
        (
            {**IN_BERLIN, "recurrence": "FREQ=DAILY;UNTIL=20261231"},
            "#/recurrence",
            "UNTIL=20261231T225959Z",
        ),
        (
            {**LATE, "recurrence": "FREQ=DAILY;UNTIL=99991231"},
            "#/recurrence",
            "UNTIL=99991231T235959Z",
        ),
        ({"due_on": "2026-01-01", "after": "2026-01-01T00:00:00Z"}, "#/after", "a date"),
        ({**IN_BERLIN, "after": "2026-01-01"}, "#/after", "an instant"),
        ({"due_on": "2026-01-01", "after": "tomorrow"}, "#/after", "YYYY-MM-DD"),
        ({**IN_BERLIN, "after": "2026-01-01T00:00:00"}, "#/after", "with its offset"),
        (
            {
                "due_at": "2026-01-01T00:00:00Z",
                "time_zone": "Pacific/Kiritimati",
                "after": "9999-12-31T23:00:00Z",
                "recurrence_from": "completion",
            },
            "#/after",
            "within the years 1 to 9999 in Pacific/Kiritimati",
        ),
        ({"due_on": "2026-01-01", "count": 0}, "#/count", "greater than or equal to 1"),
        ({"due_on": "2026-01-01", "count": 101}, "#/count", "less than or equal to 100"),
        ({"due_on": "2026-01-01", "count": "5"}, "#/count", "valid integer"),
        ({"due_on": "2026-01-01", "recurrence_from": "start"}, "#/recurrence_from", "'due'"),
        ({"due_on": "2026-01-01", "recurrence": None}, "#/recurrence", "valid string"),
        ({"due_on": "2026-01-01", "title": "x"}, "#/title", "not permitted"),
    ],
)
async def test_a_preview_that_cannot_be_is_refused_naming_the_field(
    alice: AsyncClient, fields: dict[str, Any], pointer: str, detail: str
) -> None:
    response = await alice.post(PREVIEW, json={"recurrence": "FREQ=DAILY", **fields})

    assert (response.status_code, response.json()["code"]) == (422, "validation_failed")
    (error,) = response.json()["errors"]
    assert error["pointer"] == pointer
    assert detail in error["detail"]


@pytest.mark.spec("REC-15")
@pytest.mark.parametrize(
    ("recurrence_from", "rule", "after", "expected"),
    [
        ("due", "FREQ=DAILY;INTERVAL=3", "2026-11-02", "2026-11-04 11-07"),
        ("due", "FREQ=DAILY;INTERVAL=3", "2026-11-04", "2026-11-07 11-10"),
        ("due", "FREQ=DAILY;INTERVAL=3", "2020-01-01", "2026-11-04 11-07"),
        ("due", "FREQ=DAILY;INTERVAL=3", "2126-11-02", "2126-11-05 11-08"),
        ("due", "FREQ=DAILY;COUNT=4", "2026-11-03", "2026-11-04"),
        ("due", "FREQ=DAILY;COUNT=3", "2026-11-03", ""),
        ("due", "FREQ=DAILY;UNTIL=20261103", "2026-11-03", ""),
        ("completion", "FREQ=DAILY;INTERVAL=3", "2026-11-05", "2026-11-08 11-11"),
        ("completion", "FREQ=DAILY;INTERVAL=3", "2026-10-05", "2026-10-08 10-11"),
        ("completion", "FREQ=DAILY;COUNT=2", "2026-11-05", "2026-11-06"),
        ("completion", "FREQ=MONTHLY;BYMONTHDAY=1", "2026-11-15", "2026-12-01 2027-01-01"),
    ],
)
async def test_after_gives_what_would_follow_a_completion_then(
    alice: AsyncClient, recurrence_from: str, rule: str, after: str, expected: str
) -> None:
    found = await preview(
        alice,
        rule,
        due_on="2026-11-01",
        recurrence_from=recurrence_from,
        after=after,
        count=2,
    )

    occurrences = days(expected)
    assert (found["occurrences"], found["ends"]) == (occurrences, len(occurrences) < 2)


@pytest.mark.spec("REC-10", "REC-16")
@pytest.mark.parametrize(
    ("rule", "count", "ends"),
    [
        ("FREQ=YEARLY", 100, False),
        ("FREQ=YEARLY;INTERVAL=30", 4, False),
        ("FREQ=DAILY;COUNT=100", 100, True),
        ("FREQ=DAILY;COUNT=101", 100, False),
        ("FREQ=YEARLY;INTERVAL=30;COUNT=4", 4, True),
        ("FREQ=YEARLY;INTERVAL=30;COUNT=5", 4, False),
        ("FREQ=YEARLY;INTERVAL=30;UNTIL=21260101", 4, False),
        ("FREQ=YEARLY;INTERVAL=30;UNTIL=21251231", 4, True),
        ("FREQ=YEARLY;INTERVAL=1000;COUNT=1", 1, True),
        ("FREQ=YEARLY;INTERVAL=1000;UNTIL=20300101", 1, True),
    ],
)
async def test_a_preview_tells_whether_the_rule_ends_with_it(
    alice: AsyncClient, rule: str, count: int, ends: bool
) -> None:
    found = await preview(alice, rule, due_on="2026-11-24", count=100)

    assert (len(found["occurrences"]), found["ends"]) == (count, ends)


@pytest.mark.spec("REC-14")
async def test_a_preview_needs_an_identity_and_takes_no_other_method_or_query(
    alice: AsyncClient, anonymous: AsyncClient
) -> None:
    body = {"recurrence": "FREQ=DAILY", "due_on": "2026-01-01"}

    assert (await anonymous.post(PREVIEW, json=body)).status_code == 401
    assert (await alice.get(PREVIEW)).headers["allow"] == "POST"
    assert (await alice.post(f"{PREVIEW}?count=1", json=body)).status_code == 422
