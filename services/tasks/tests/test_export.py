import asyncio
import csv
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from dateutil.tz import tzical
from fastapi import FastAPI
from httpx import AsyncClient
from icalendar import Calendar
from sqlalchemy import event, text

from tasks_service.export_sessions import ExportSessions
from tasks_service.services import export_pages
from tasks_service.services.csv_cells import guarded, row_of, unguarded, values_in
from tasks_service.services.export import export_data

EXPORT = "/api/v1/export"
END_EXPORTS = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction'"
    " AND datname = current_database() AND query LIKE 'SELECT%FROM task%'"
)
TASKS = "/api/v1/tasks"
FULL = {
    "title": "Bread; milk, \\ eggs\nand more",
    "description": "é" * 200 + "\r\nline\u0007",
    "priority": "urgent",
    "due_at": "2026-03-28T01:30:00Z",
    "time_zone": "Europe/Berlin",
    "start_at": "2026-03-27T08:00:00Z",
    "reminders": ["PT30M", "2026-03-27T10:00:00Z"],
    "tags": ["Home", "a,b", "c;d"],
}


async def make(user: AsyncClient, **given: Any) -> dict[str, Any]:
    created = await user.post(TASKS, json={"title": "x", **given})
    task: dict[str, Any] = created.json()
    return task


async def items(user: AsyncClient, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await user.get(f"/api/v1/{path}")).json()["items"]
    return sorted(found, key=lambda item: str(item["id"]))


async def calendar_of(user: AsyncClient) -> Any:
    return Calendar.from_ical((await user.get(EXPORT, params={"format": "ics"})).content)


@pytest.mark.spec("DATA-1")
@pytest.mark.parametrize(
    ("kind", "media_type"),
    [
        ("json", "application/json"),
        ("csv", "text/csv; charset=utf-8"),
        ("ics", "text/calendar; charset=utf-8"),
    ],
)
async def test_an_export_is_a_file_that_nobody_stores(
    alice: AsyncClient, kind: str, media_type: str
) -> None:
    response = await alice.get(EXPORT, params={"format": kind})

    assert response.headers["content-type"] == media_type
    assert response.headers["cache-control"] == "private, no-store"
    name = f'"taskgate-{datetime.now(UTC):%Y-%m-%d}.{kind}"'
    assert response.headers["content-disposition"] == f"attachment; filename={name}"


@pytest.mark.spec("DATA-3")
async def test_json_holds_everything_as_the_api_answers_it(alice: AsyncClient) -> None:
    await alice.post("/api/v1/lists", json={"name": "Errands", "colour": "#ff0000"})
    gone = await alice.post("/api/v1/lists", json={"name": "Gone"})
    parent = await make(alice, **FULL)
    await make(alice, title="child", parent_id=parent["id"])
    daily = await make(alice, due_on="2099-11-25", recurrence="FREQ=DAILY;COUNT=9")
    await alice.post(f"{TASKS}/{daily['id']}/complete")
    trashed = await make(alice, list_id=gone.json()["id"])
    await alice.delete(f"/api/v1/lists/{gone.json()['id']}")

    document = (await alice.get(EXPORT)).json()

    assert document["taskgate"] == 1
    by_id = {task["id"]: task for task in document["tasks"]}
    assert by_id[daily["id"]].pop("recurrence_number") == 2
    local = by_id[daily["id"]]["due_on"] + "T00:00:00"
    assert by_id[daily["id"]].pop("recurrence_local") == local
    assert by_id[trashed["id"]]["deleted_at"] is not None
    for task in document["tasks"]:
        task.pop("recurrence_number", None)
        task.pop("recurrence_local", None)
    assert document["tasks"] == sorted(
        [*await items(alice, "tasks"), *await items(alice, "trash")], key=lambda task: task["id"]
    )
    assert document["lists"] == [*await items(alice, "lists"), *await items(alice, "trash/lists")]
    tags = [{**tag, "task_count": None} for tag in await items(alice, "tags")]
    assert [{**tag, "task_count": None} for tag in document["tags"]] == tags
    completions = await items(alice, f"tasks/{daily['id']}/completions")
    assert document["completions"] == [{**one, "task_id": daily["id"]} for one in completions]


@pytest.mark.spec("DATA-3", "DATA-4", "DATA-6")
async def test_an_export_holds_nothing_of_others(alice: AsyncClient, mallory: AsyncClient) -> None:
    await make(alice, **FULL)

    document = (await mallory.get(EXPORT)).json()
    rows = (await mallory.get(EXPORT, params={"format": "csv"})).text.splitlines()

    document.pop("exported_at")
    assert document == {"taskgate": 1, "lists": [], "tags": [], "tasks": [], "completions": []}
    assert len(rows) == 1
    assert (await calendar_of(mallory)).subcomponents == []


@pytest.mark.spec("DATA-4")
async def test_csv_has_a_row_for_each_task_and_names_its_list(alice: AsyncClient) -> None:
    live = (await alice.post("/api/v1/lists", json={"name": "Errands"})).json()["id"]
    gone = (await alice.post("/api/v1/lists", json={"name": "Gone"})).json()["id"]
    full = await make(alice, **FULL, list_id=live)
    trashed = await make(alice, list_id=gone)
    await alice.delete(f"/api/v1/lists/{gone}")

    text = (await alice.get(EXPORT, params={"format": "csv"})).content.decode()
    rows = {row["id"]: row for row in csv.DictReader(StringIO(text[1:], newline=""), strict=True)}

    assert (text[0], text.endswith("\r\n")) == ("\ufeff", True)
    row = rows[full["id"]]
    assert (row["title"], row["description"]) == (full["title"], full["description"])
    assert (row["list"], row["list_id"]) == ("Errands", live)
    assert values_in(row["tags"]) == FULL["tags"]
    assert row["reminders"] == "PT30M,2026-03-27T10:00:00Z"
    assert (row["completed"], row["due_on"], row["recurrence_number"]) == ("false", "", "1")
    assert (rows[trashed["id"]]["list"], rows[trashed["id"]]["list_id"]) == ("", "")
    assert rows[trashed["id"]]["deleted_at"] != ""


@pytest.mark.spec("DATA-5")
@pytest.mark.parametrize(
    "text",
    [
        '=HYPERLINK("http://x")', "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", "\uff1d1",
        "'=1", "''=1", "'", "''", "", "'quoted'", "x=1", "it's",
    ],
)  # fmt: skip
def test_no_cell_is_a_formula_and_each_comes_back(text: str) -> None:
    cell = guarded(text)

    assert not cell.startswith(tuple("=+-@\t\r\n\uff1d"))
    assert cell != ""
    assert unguarded(cell) == text


@pytest.mark.spec("DATA-5")
async def test_formulas_in_title_and_tags_are_guarded(alice: AsyncClient) -> None:
    await make(alice, title="=1+1", description="", tags=["@now", "x"])

    text = (await alice.get(EXPORT, params={"format": "csv"})).content.decode("utf-8-sig")
    (row,) = csv.DictReader(StringIO(text, newline=""))

    assert (row["title"], row["description"], row["tags"]) == ("'=1+1", "'", "'@now,x")


@pytest.mark.spec("DATA-4")
@pytest.mark.parametrize("values", [["a"], ["a,b", 'c"d'], ["a\nb", "c\rd"], ["'", " x"]])
def test_a_row_in_a_cell_comes_back(values: list[str]) -> None:
    assert values_in(row_of(values)) == values


@pytest.mark.spec("DATA-6", "DATA-7")
async def test_a_library_reads_the_calendar_as_it_was_meant(alice: AsyncClient) -> None:
    parent = await make(alice, **FULL)
    child = await make(
        alice,
        parent_id=parent["id"],
        due_on="2026-05-01",
        start_at="2026-04-30T23:00:00Z",
        completed=True,
    )

    response = await alice.get(EXPORT, params={"format": "ics"})
    calendar: Any = Calendar.from_ical(response.content)
    todos = {str(todo["uid"]): todo for todo in calendar.walk("VTODO")}

    assert max(len(line) for line in response.content.split(b"\r\n")) <= 75
    assert calendar.errors == []
    todo = todos[parent["id"]]
    assert todo.errors == []
    assert str(todo["summary"]) == FULL["title"]
    assert str(todo["description"]) == "é" * 200 + "\nline"
    assert todo["categories"].cats == FULL["tags"]
    assert (todo["priority"], todo["status"]) == (1, "NEEDS-ACTION")
    assert todo["due"].params["tzid"] == "Europe/Berlin"
    assert todo["due"].dt.isoformat() == "2026-03-28T02:30:00+01:00"
    assert todo["dtstart"].dt.isoformat() == "2026-03-27T09:00:00+01:00"
    alarms = [alarm["trigger"] for alarm in todo.walk("VALARM")]
    assert [alarm.dt for alarm in alarms] == [
        timedelta(minutes=-30),
        datetime(2026, 3, 27, 10, tzinfo=UTC),
    ]
    assert [dict(alarm.params) for alarm in alarms] == [
        {"RELATED": "END"},
        {"VALUE": "DATE-TIME"},
    ]
    done = todos[child["id"]]
    assert (str(done["related-to"]), str(done["status"])) == (parent["id"], "COMPLETED")
    assert done["due"].dt == date(2026, 5, 1)
    assert done["dtstart"].dt == date(2026, 4, 30)
    assert done["completed"].dt == datetime.fromisoformat(child["completed_at"]).replace(
        microsecond=0
    )


@pytest.mark.spec("DATA-6")
async def test_the_calendar_defines_each_zone_once(alice: AsyncClient) -> None:
    for _ in range(2):
        await make(alice, due_at="2026-05-01T10:00:00Z", time_zone="Asia/Tokyo")
    await make(alice, due_at="2026-05-01T10:00:00Z")

    calendar = await calendar_of(alice)

    assert [str(zone["tzid"]) for zone in calendar.walk("VTIMEZONE")] == ["Asia/Tokyo"]
    dues = {todo["due"].to_ical() for todo in calendar.walk("VTODO")}
    assert dues == {b"20260501T100000Z", b"20260501T190000"}


@pytest.mark.spec("DATA-6")
@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Pacific/Kiritimati"])
async def test_the_calendar_is_right_far_from_now(alice: AsyncClient, zone: str) -> None:
    years = (1, 1969, 1970, 2026, 2045, 2199, 2200, 9999)
    given = {f"{year:04}-{day}:00Z" for year in years for day in ("01-01T00:00", "07-01T10:00")}
    given.add("9999-12-31T23:00:00Z")
    for due_at in given:
        await make(alice, due_at=due_at, time_zone=zone)

    text_of = (await alice.get(EXPORT, params={"format": "ics"})).text
    calendar: Any = Calendar.from_ical(text_of)

    clocks = tzical(StringIO(text_of)).get(zone)
    read = {
        due.dt.replace(tzinfo=clocks if "tzid" in due.params else UTC).astimezone(UTC)
        for due in (todo["due"] for todo in calendar.walk("VTODO"))
    }
    assert read == {datetime.fromisoformat(due_at) for due_at in given}


@pytest.mark.spec("DATA-6")
async def test_only_what_is_far_from_now_is_in_utc(alice: AsyncClient) -> None:
    for year in (1969, 1970, 2199, 2200):
        await make(alice, due_at=f"{year}-07-01T10:00:00Z", time_zone="Asia/Tokyo")

    dues = [todo["due"].to_ical() for todo in (await calendar_of(alice)).walk("VTODO")]

    assert sorted(dues) == [
        *(b"19690701T100000Z", b"19700701T190000"),
        *(b"21990701T190000", b"22000701T100000Z"),
    ]


@pytest.mark.spec("DATA-6", "DATA-7")
async def test_a_recurring_task_goes_on_in_the_calendar_where_it_is(alice: AsyncClient) -> None:
    # The clocks of Berlin skip the hour from 2:00 on 29 March 2026.
    task = await make(
        alice,
        due_at="2026-03-28T01:30:00Z",
        time_zone="Europe/Berlin",
        recurrence="FREQ=DAILY;COUNT=4",
    )
    await alice.post(f"{TASKS}/{task['id']}/skip")

    (todo,) = (await calendar_of(alice)).walk("VTODO")

    assert todo["rrule"].to_ical() == b"FREQ=DAILY;COUNT=3"
    assert todo["due"].to_ical() == todo["dtstart"].to_ical() == b"20260329T023000"


@pytest.mark.spec("DATA-6", "DATA-7")
async def test_the_trash_and_reminders_before_nothing_are_not_in_the_calendar(
    alice: AsyncClient,
) -> None:
    trashed = await make(alice)
    await alice.delete(f"{TASKS}/{trashed['id']}")
    kept = await make(alice, reminders=["PT1H"], priority="none")

    (todo,) = (await calendar_of(alice)).walk("VTODO")

    assert str(todo["uid"]) == kept["id"]
    assert todo.subcomponents == []
    assert "priority" not in todo


@pytest.fixture
def sessions(app: FastAPI) -> ExportSessions:
    found: ExportSessions = app.state.resources.database.export_sessions
    return found


@pytest.mark.spec("DATA-2")
@pytest.mark.parametrize(("kind", "before"), [("json", 2), ("csv", 0), ("ics", 1)])
async def test_a_page_is_read_when_the_one_before_has_been_taken(
    app: FastAPI,
    alice: AsyncClient,
    sessions: ExportSessions,
    monkeypatch: pytest.MonkeyPatch,
    kind: Any,
    before: int,
) -> None:
    monkeypatch.setattr(export_pages, "_PAGE", 2)
    for number in range(5):
        await make(alice, title=f"task {number}")
    user_id = alice.headers["X-User-Id"]
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    engine = app.state.resources.database.export_engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        seen = [
            (piece.count(b"task "), len(sent) - before)
            async for piece in export_data(sessions, user_id, kind)
            if b"task " in piece
        ]
    finally:
        event.remove(engine, "before_cursor_execute", note)

    assert seen == [(2, 1), (2, 2), (1, 3)]
    assert all("LIMIT" in statement for statement in sent if "DISTINCT" not in statement)


@pytest.mark.spec("DATA-1")
async def test_an_export_is_as_of_one_instant(
    alice: AsyncClient, sessions: ExportSessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_pages, "_PAGE", 1)
    first, last = [await make(alice, title=f"task {n}") for n in range(2)]
    pieces = export_data(sessions, alice.headers["X-User-Id"], "json")
    read = [await anext(pieces)]

    await alice.patch(f"{TASKS}/{last['id']}", json={"title": "later"})
    await make(alice)
    read += [piece async for piece in pieces]

    document = json.loads(b"".join(read))
    assert document["tasks"][0]["id"] == first["id"]
    assert [task["title"] for task in document["tasks"]] == ["task 0", "task 1"]


@pytest.mark.spec("DATA-2")
async def test_slow_readers_of_exports_hold_up_no_other_request(
    sessions: ExportSessions,
    alice: AsyncClient,
    new_user: Callable[[], AsyncClient],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sessions._turns, "_seconds", 0.1)
    async with AsyncExitStack() as opened:
        for _ in range(4):
            await opened.enter_async_context(_begun(sessions, new_user()))

        fifth = await alice.get(EXPORT, params={"format": "csv"})
        other = await alice.get(TASKS)

    assert (fifth.status_code, fifth.json()["code"]) == (503, "overloaded")
    assert int(fifth.headers["Retry-After"]) > 0
    assert other.status_code == 200
    assert (await alice.get(EXPORT)).status_code == 200


@pytest.mark.spec("DATA-25")
async def test_a_user_has_one_export_under_way(
    sessions: ExportSessions, alice: AsyncClient, mallory: AsyncClient
) -> None:
    async with _begun(sessions, alice):
        second = await alice.get(EXPORT, params={"format": "ics"})
        theirs = await mallory.get(EXPORT)
    again = await alice.get(EXPORT)

    assert (second.status_code, second.json()["code"]) == (429, "export_running")
    assert int(second.headers["Retry-After"]) > 0
    assert (theirs.status_code, again.status_code) == (200, 200)


@asynccontextmanager
async def _begun(sessions: ExportSessions, user: AsyncClient) -> AsyncIterator[None]:
    async with aclosing(export_data(sessions, user.headers["X-User-Id"], "json")) as export:
        await anext(export)
        yield


@pytest.mark.spec("DATA-25")
@pytest.mark.parametrize("last", ["http.response.start", "http.response.body"])
async def test_the_next_export_may_begin_when_one_is_read_or_left(
    app: FastAPI, alice: AsyncClient, last: str
) -> None:
    again = []

    async def send(message: Any) -> None:
        if message["type"] == last == "http.response.start":
            # The request is given up before anything has been sent.
            raise asyncio.CancelledError
        if message["type"] == last and not message["more_body"]:
            again.append((await alice.get(EXPORT)).status_code)

    with suppress(asyncio.CancelledError):
        await app(_scope(alice), _wait_for_ever, send)
    again.append((await alice.get(EXPORT)).status_code)

    assert set(again) == {200}


@pytest.mark.spec("DATA-2")
async def test_an_export_that_breaks_off_never_looks_complete(
    app: FastAPI, alice: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_pages, "_PAGE", 1)
    for _ in range(3):
        await make(alice)
    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)
        if message.get("body"):
            async with app.state.resources.database.engine.connect() as connection:
                await connection.execute(END_EXPORTS)

    with pytest.raises(Exception, match="response already started"):
        await app(_scope(alice), _wait_for_ever, send)

    assert [message.get("status", 200) for message in messages] == [200, 200]
    assert messages[-1]["more_body"]


def _scope(user: AsyncClient) -> dict[str, Any]:
    return {
        "type": "http",
        "method": "GET",
        "path": EXPORT,
        "query_string": b"",
        "headers": user.headers.raw,
        "asgi": {"spec_version": "2.4"},
    }


async def _wait_for_ever() -> Any:
    await asyncio.Event().wait()


@pytest.mark.spec("DATA-2", "TASK-6")
@pytest.mark.parametrize("query", ["format=xml", "format=json&format=csv", "fields=id"])
async def test_an_unknown_kind_of_export_is_422(alice: AsyncClient, query: str) -> None:
    response = await alice.get(f"{EXPORT}?{query}")

    assert (response.status_code, response.json()["code"]) == (422, "validation_failed")
