import pytest
from httpx import AsyncClient

from tasks_service.schemas.recurrence_rule import parse_rule

PREVIEW = "/api/v1/recurrence/preview"


@pytest.mark.spec("REC-1", "REC-2", "REC-4")
@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("FREQ=DAILY", "FREQ=DAILY"),
        ("RRULE:FREQ=DAILY", "FREQ=DAILY"),
        ("rrule:freq=weekly;byday=mo,th", "FREQ=WEEKLY;BYDAY=MO,TH"),
        ("COUNT=3;INTERVAL=2;FREQ=DAILY", "FREQ=DAILY;INTERVAL=2;COUNT=3"),
        ("FREQ=DAILY;INTERVAL=1", "FREQ=DAILY"),
        ("FREQ=DAILY;INTERVAL=1000", "FREQ=DAILY;INTERVAL=1000"),
        ("FREQ=DAILY;INTERVAL=007;COUNT=01", "FREQ=DAILY;INTERVAL=7;COUNT=1"),
        ("FREQ=DAILY;COUNT=1000", "FREQ=DAILY;COUNT=1000"),
        ("FREQ=DAILY;BYMONTH=12,1,3,12", "FREQ=DAILY;BYMONTH=1,3,12"),
        (
            "FREQ=MONTHLY;BYMONTHDAY=-1,15,+1,-31,31,1",
            "FREQ=MONTHLY;BYMONTHDAY=1,15,31,-31,-1",
        ),
        ("FREQ=WEEKLY;BYDAY=SU,FR,MO,FR", "FREQ=WEEKLY;BYDAY=MO,FR,SU"),
        ("FREQ=MONTHLY;BYDAY=-1FR,2TU,MO,+1SU,5MO", "FREQ=MONTHLY;BYDAY=MO,1SU,2TU,5MO,-1FR"),
        ("FREQ=YEARLY;BYDAY=-53MO,53SU", "FREQ=YEARLY;BYDAY=53SU,-53MO"),
        ("FREQ=YEARLY;BYDAY=5MO;BYMONTH=3", "FREQ=YEARLY;BYMONTH=3;BYDAY=5MO"),
        ("FREQ=MONTHLY;BYSETPOS=-1,1,366;BYDAY=MO", "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=1,366,-1"),
        ("FREQ=DAILY;UNTIL=20261231", "FREQ=DAILY;UNTIL=20261231"),
        ("FREQ=DAILY;UNTIL=99991231", "FREQ=DAILY;UNTIL=99991231"),
        ("FREQ=DAILY;UNTIL=09991231", "FREQ=DAILY;UNTIL=09991231"),
        ("freq=daily;until=20261231t225959z", "FREQ=DAILY;UNTIL=20261231T225959Z"),
        ("FREQ=DAILY;UNTIL=09991231T000000Z", "FREQ=DAILY;UNTIL=09991231T000000Z"),
        ("FREQ=WEEKLY;WKST=MO;INTERVAL=2;BYDAY=MO", "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO"),
        ("FREQ=WEEKLY;WKST=SU;INTERVAL=2;BYDAY=MO", "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;WKST=SU"),
        ("FREQ=WEEKLY;WKST=SU;BYDAY=MO;BYSETPOS=1", "FREQ=WEEKLY;BYDAY=MO;BYSETPOS=1;WKST=SU"),
        ("FREQ=WEEKLY;WKST=SU;BYDAY=MO", "FREQ=WEEKLY;BYDAY=MO"),
        ("FREQ=WEEKLY;WKST=SU;INTERVAL=2", "FREQ=WEEKLY;INTERVAL=2"),
        ("FREQ=MONTHLY;WKST=SU;INTERVAL=2;BYDAY=MO", "FREQ=MONTHLY;INTERVAL=2;BYDAY=MO"),
    ],
)
def test_a_rule_has_one_canonical_form_that_means_the_same(written: str, canonical: str) -> None:
    rule = parse_rule(written)

    assert str(rule) == canonical
    assert parse_rule(canonical) == rule


@pytest.mark.spec("REC-1", "REC-2", "REC-3")
@pytest.mark.parametrize(
    ("written", "instead"),
    [
        ("", "should be parts like FREQ=DAILY"),
        ("RRULE:", "should be parts like FREQ=DAILY"),
        ("every monday", "should be one rule, like FREQ=WEEKLY;BYDAY=MO"),
        ("weekly", "should be parts like FREQ=DAILY"),
        ("RRULE:RRULE:FREQ=DAILY", "should have no other parts than FREQ, INTERVAL"),
        ("INTERVAL=2", "should have a FREQ"),
        ("FREQ=HOURLY", "FREQ should be DAILY, WEEKLY, MONTHLY or YEARLY"),
        ("FREQ=DAILY;", "with one semicolon between them"),
        (";FREQ=DAILY", "with one semicolon between them"),
        ("FREQ=DAILY;;COUNT=2", "with one semicolon between them"),
        ("FREQ=DAILY;COUNT", "should be parts like FREQ=DAILY"),
        ("FREQ=DAILY;COUNT=", "should be parts like FREQ=DAILY"),
        ("FREQ=DAILY;FREQ=DAILY", "should have FREQ only once"),
        ("FREQ=DAILY;COUNT=2;count=2", "should have COUNT only once"),
        ("FREQ=DAILY;COUNT=2;UNTIL=20261231", "should have COUNT or UNTIL, not both"),
        ("FREQ=DAILY;BYHOUR=9", "should not have BYHOUR: the time of day is that of due_at"),
        ("FREQ=DAILY;BYMINUTE=9", "the time of day is that of due_at"),
        ("FREQ=DAILY;BYSECOND=9", "the time of day is that of due_at"),
        ("FREQ=YEARLY;BYWEEKNO=20", "write BYMONTH with BYMONTHDAY or BYDAY"),
        ("FREQ=YEARLY;BYYEARDAY=100", "write BYMONTH with BYMONTHDAY or BYDAY"),
        ("FREQ=MONTHLY;SKIP=FORWARD;RSCALE=GREGORIAN", "those that do not exist are skipped"),
        ("FREQ=DAILY;X-NAME=1", "should have no other parts than FREQ, INTERVAL"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL should be a number from 1 to 1000"),
        ("FREQ=DAILY;INTERVAL=-1", "INTERVAL should be a number from 1 to 1000"),
        ("FREQ=DAILY;INTERVAL=1.5", "INTERVAL should be a number from 1 to 1000"),
        ("FREQ=DAILY;INTERVAL=1000000000", "INTERVAL should be a number from 1 to 1000"),
        ("FREQ=DAILY;INTERVAL=" + "9" * 450, "INTERVAL should be a number from 1 to 1000"),
        ("FREQ=DAILY;COUNT=0", "COUNT should be a number from 1 to 1000"),
        ("FREQ=DAILY;COUNT=1000000000", "COUNT should be a number from 1 to 1000"),
        ("FREQ=DAILY;BYMONTH=0", "BYMONTH should be numbers from 1 to 12"),
        ("FREQ=DAILY;BYMONTH=1,13", "BYMONTH should be numbers from 1 to 12"),
        ("FREQ=DAILY;BYMONTH=-1", "BYMONTH should be numbers from 1 to 12"),
        ("FREQ=DAILY;BYMONTH=1,", "BYMONTH should be numbers from 1 to 12"),
        ("FREQ=MONTHLY;BYMONTHDAY=0", "BYMONTHDAY should be numbers from 1 to 31"),
        ("FREQ=MONTHLY;BYMONTHDAY=32", "or from -31 to -1 counted from the end"),
        ("FREQ=MONTHLY;BYMONTHDAY=-32", "or from -31 to -1 counted from the end"),
        ("FREQ=MONTHLY;BYMONTHDAY=--1", "BYMONTHDAY should be numbers from 1 to 31"),
        ("FREQ=MONTHLY;BYMONTHDAY=1_0", "BYMONTHDAY should be numbers from 1 to 31"),
        ("FREQ=WEEKLY;BYMONTHDAY=1", "should not have BYMONTHDAY with FREQ=WEEKLY"),
        ("FREQ=YEARLY;BYMONTHDAY=1", "should have BYMONTH beside BYMONTHDAY with FREQ=YEARLY"),
        ("FREQ=WEEKLY;BYDAY=MONDAY", "BYDAY should be days from MO to SU"),
        ("FREQ=WEEKLY;BYDAY=MO,,TU", "BYDAY should be days from MO to SU"),
        ("FREQ=MONTHLY;BYDAY=0MO", "BYDAY should be days from MO to SU"),
        ("FREQ=MONTHLY;BYDAY=1", "BYDAY should be days from MO to SU"),
        ("FREQ=MONTHLY;BYDAY=6MO", "should have numbers from 1 to 5 in this BYDAY"),
        ("FREQ=YEARLY;BYDAY=54MO", "should have numbers from 1 to 53 in this BYDAY"),
        ("FREQ=YEARLY;BYMONTH=3;BYDAY=-6MO", "should have numbers from 1 to 5 in this BYDAY"),
        ("FREQ=WEEKLY;BYDAY=1MO", "should have BYDAY without numbers with FREQ=WEEKLY"),
        ("FREQ=DAILY;BYDAY=-1MO", "should have BYDAY without numbers with FREQ=DAILY"),
        ("FREQ=MONTHLY;BYSETPOS=1", "should have BYDAY, BYMONTHDAY or BYMONTH for BYSETPOS"),
        ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=0", "BYSETPOS should be numbers from 1 to 366"),
        ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=367", "BYSETPOS should be numbers from 1 to 366"),
        ("FREQ=WEEKLY;WKST=1", "WKST should be a day from MO to SU"),
        ("FREQ=DAILY;UNTIL=2026-12-31", "UNTIL should be a date, like 20261231"),
        ("FREQ=DAILY;UNTIL=20260229", "UNTIL should be a date, like 20261231"),
        ("FREQ=DAILY;UNTIL=00000101", "UNTIL should be a date, like 20261231"),
        ("FREQ=DAILY;UNTIL=20261231T225959", "an instant in UTC, like 20261231T225959Z"),
        ("FREQ=DAILY;UNTIL=20261231T246060Z", "an instant in UTC, like 20261231T225959Z"),
        ("FREQ=DAILY;UNTIL=20261231T235960Z", "an instant in UTC, like 20261231T225959Z"),
        (" FREQ=DAILY", "without blanks, line breaks or DTSTART"),
        ("FREQ=DAILY; COUNT=2", "without blanks, line breaks or DTSTART"),
        ("FREQ=DAILY\n", "without blanks, line breaks or DTSTART"),
        ("DTSTART:20260101\r\nRRULE:FREQ=DAILY", "without blanks, line breaks or DTSTART"),
        ("FREQ=DAILY\nEXDATE:20260101", "without blanks, line breaks or DTSTART"),
        ("DTSTART:20260101;FREQ=DAILY", "should be parts like FREQ=DAILY"),
        ("FREQ=DAILY;INTERVAL=\uff12", "should be one rule, like"),
        ("FREQ=DAILY;INTERVAL=\u0662", "should be one rule, like"),
        ("FREQ=\u017fECONDLY", "should be one rule, like"),
        ("FREQ=DAILY\u2028", "should be one rule, like"),
        ("FREQ=DAILY;" * 45, "should have FREQ only once"),
        ("FREQ=MONTHLY;BYMONTHDAY=" + "1," * 5000 + "1", "at most 500 characters"),
        (";" * 10_000, "at most 500 characters"),
    ],
)
async def test_any_other_rule_is_refused_saying_what_to_write_instead(
    alice: AsyncClient, written: str, instead: str
) -> None:
    response = await alice.post(PREVIEW, json={"recurrence": written, "due_on": "2026-01-01"})

    assert (response.status_code, response.json()["code"]) == (422, "validation_failed")
    (error,) = response.json()["errors"]
    assert error["pointer"] == "#/recurrence"
    assert instead in error["detail"]
