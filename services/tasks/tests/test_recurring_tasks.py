"""Tasks that recur: how a rule is written, and what completing and skipping lead to."""

import secrets
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from httpx import AsyncClient, Response
from sqlalchemy import text

TASKS = "/api/v1/tasks"
BERLIN = {"due_at": "2126-03-30T08:00:00Z", "time_zone": "Europe/Berlin"}
DAILY = {"title": "x", "due_on": "2126-11-25", "recurrence": "FREQ=DAILY"}


async def created(client: AsyncClient, **fields: Any) -> Any:
    response = await client.post(TASKS, json={"title": "x", **fields})
    assert response.status_code == 201, response.text
    return response.json()


async def patched(client: AsyncClient, task: Any, **fields: Any) -> Any:
    response = await client.patch(f"{TASKS}/{task['id']}", json=fields)
    assert response.status_code == 200, response.text
    return response.json()


async def done(client: AsyncClient, task: Any, act: str = "complete") -> Any:
    response = await client.post(f"{TASKS}/{task['id']}/{act}")
    assert response.status_code == 200, response.text
    return response.json()


async def completions(client: AsyncClient, task: Any) -> Any:
    return (await client.get(f"{TASKS}/{task['id']}/completions")).json()["items"]


def errors(response: Response) -> list[str]:
    assert (response.status_code, response.json()["code"]) == (422, "validation_failed")
    return [error["pointer"] for error in response.json()["errors"]]


@pytest.mark.spec("REC-18")
async def test_a_rule_is_written_on_every_way_and_answered_in_canonical_form(
    alice: AsyncClient,
) -> None:
    asked = {"title": "x", "due_on": "2126-11-25", "recurrence": "byday=th,mo;freq=weekly"}
    asked["recurrence_from"] = "completion"
    canonical = ("FREQ=WEEKLY;BYDAY=MO,TH", "completion")
    url = f"{TASKS}/0192f0c0-0000-7000-8000-{secrets.token_hex(6)}"
    batch = {"operations": [{"op": "create", "task": asked}]}
    plain = await created(alice)

    answers = [
        await created(alice, **asked),
        await patched(alice, plain, **asked),
        (await alice.put(url, json=asked, headers={"If-None-Match": "*"})).json(),
        (await alice.put(url, json=asked, headers={"If-Match": "*"})).json(),
        (await alice.post("/api/v1/batch", json=batch)).json()["results"][0]["task"],
        (await alice.get(f"{TASKS}/{plain['id']}")).json(),
    ]

    assert {(task["recurrence"], task["recurrence_from"]) for task in answers} == {canonical}


@pytest.mark.spec("REC-18", "TASK-10")
async def test_null_clears_the_rule_and_a_put_without_one_has_none(alice: AsyncClient) -> None:
    patch, put = await created(alice, **DAILY), await created(alice, **DAILY)

    cleared = await patched(alice, patch, recurrence=None)
    replaced = await alice.put(
        f"{TASKS}/{put['id']}", json={"title": "x"}, headers={"If-Match": '"2"'}
    )

    assert (cleared["recurrence"], cleared["due_on"]) == (None, DAILY["due_on"])
    assert replaced.json()["recurrence"] is None


NEVER = "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"


@pytest.mark.spec("REC-18", "REC-17")
@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"due_on": None}, "#/due_on"),
        ({"due_on": None, "due_at": BERLIN["due_at"]}, "#/time_zone"),
        ({"due_at": BERLIN["due_at"]}, "#/due_on"),
        ({"recurrence": "FREQ=HOURLY"}, "#/recurrence"),
        ({"recurrence": NEVER}, "#/recurrence"),
        ({"recurrence": "FREQ=DAILY;UNTIL=21271231T000000Z"}, "#/recurrence"),
        ({"due_on": None, **BERLIN, "recurrence": "FREQ=DAILY;UNTIL=21271231"}, "#/recurrence"),
        ({"recurrence": 1}, "#/recurrence"),
        ({"recurrence_from": "start"}, "#/recurrence_from"),
        ({"recurrence_from": None}, "#/recurrence_from"),
    ],
)
async def test_what_cannot_recur_is_refused_naming_the_field_and_changes_nothing(
    alice: AsyncClient, fields: dict[str, Any], pointer: str
) -> None:
    task = await created(alice, **DAILY)
    url = f"{TASKS}/{task['id']}"

    answers = [
        await alice.post(TASKS, json=DAILY | fields),
        await alice.put(url, json=DAILY | fields, headers={"If-Match": "*"}),
        await alice.patch(url, json=fields),
    ]

    assert [errors(answer) for answer in answers] == [[pointer]] * 3
    assert (await alice.get(url)).json() == task


@pytest.mark.spec("REC-18", "BATCH-4")
async def test_a_rule_refused_in_a_batch_is_pointed_at_there(alice: AsyncClient) -> None:
    batch = {"operations": [{"op": "create", "task": {"title": "x", "recurrence": "FREQ=DAILY"}}]}

    (result,) = (await alice.post("/api/v1/batch", json=batch)).json()["results"]

    assert result["error"]["errors"][0]["pointer"] == "#/operations/0/task/due_on"


@pytest.mark.spec("REC-20")
async def test_completing_records_it_and_gives_the_next_due_in_one_version(
    alice: AsyncClient,
) -> None:
    task = await created(alice, **DAILY)

    moved = await done(alice, task)

    assert moved == task | {
        "due_on": "2126-11-26",
        "version": task["version"] + 1,
        "updated_at": moved["updated_at"],
    }
    (completion,) = await completions(alice, task)
    assert completion == {
        "id": completion["id"],
        "due_on": "2126-11-25",
        "due_at": None,
        "completed_at": moved["updated_at"],
        "version": moved["version"],
    }
    assert (await created(alice))["version"] == moved["version"] + 1


@pytest.mark.spec("REC-20", "REC-11")
async def test_what_was_missed_is_passed_over_and_a_task_done_early_goes_on_from_its_due(
    alice: AsyncClient,
) -> None:
    today = datetime.now(UTC).date()
    late = await created(alice, due_on="2020-01-01", recurrence="FREQ=DAILY")
    early = await created(alice, due_on="2126-01-31", recurrence="FREQ=MONTHLY")

    # The day may end while this runs.
    assert date.fromisoformat((await done(alice, late))["due_on"]) - today in {
        timedelta(days=1),
        timedelta(days=2),
    }
    assert (await done(alice, early))["due_on"] == "2126-03-31"


@pytest.mark.spec("REC-20", "REC-12")
async def test_a_rule_from_the_completion_starts_at_its_day(alice: AsyncClient) -> None:
    today = datetime.now(UTC).date()
    task = await created(
        alice, due_on="2126-01-01", recurrence="FREQ=DAILY;INTERVAL=3", recurrence_from="completion"
    )

    moved = await done(alice, task)

    assert date.fromisoformat(moved["due_on"]) - today in {timedelta(days=3), timedelta(days=4)}


@pytest.mark.spec("REC-20")
async def test_the_last_completion_completes_the_task_and_reopen_opens_it_there(
    alice: AsyncClient,
) -> None:
    task = await created(alice, **DAILY | {"recurrence": "FREQ=DAILY;COUNT=2"})

    await done(alice, task)
    ended = await done(alice, task)
    twice = await done(alice, task)
    reopened = await done(alice, task, "reopen")

    assert (ended["completed"], ended["due_on"]) == (True, "2126-11-26")
    assert twice == ended
    assert (reopened["completed"], reopened["due_on"]) == (False, "2126-11-26")
    assert [each["due_on"] for each in await completions(alice, task)] == [
        "2126-11-26",
        "2126-11-25",
    ]


@pytest.mark.spec("REC-19")
@pytest.mark.parametrize("act", ["complete", "skip"])
async def test_a_time_that_clocks_skip_moves_one_due_and_none_after_it(
    alice: AsyncClient, act: str
) -> None:
    # In 2126 summer time begins on 31 March: 02:30 is 03:30 that day.
    due = {"due_at": "2126-03-30T01:30:00Z", "time_zone": "Europe/Berlin"}
    task = await created(alice, **due, recurrence="FREQ=DAILY")

    dues = [(await done(alice, task, act))["due_at"] for _ in range(2)]

    assert dues == ["2126-03-31T01:30:00Z", "2126-04-01T00:30:00Z"]


@pytest.mark.spec("REC-19")
@pytest.mark.parametrize(
    ("change", "left"),
    [
        ({}, 1),
        ({"due_on": "2126-11-26"}, 1),
        ({"recurrence_from": "completion"}, 1),
        ({"title": "y"}, 1),
        ({"due_on": "2126-12-01"}, 2),
        ({"recurrence": "FREQ=DAILY;INTERVAL=2;COUNT=3"}, 2),
    ],
)
async def test_a_new_due_or_rule_counts_anew_and_nothing_else_does(
    alice: AsyncClient, change: dict[str, Any], left: int
) -> None:
    task = await created(alice, **DAILY | {"recurrence": "FREQ=DAILY;COUNT=3"})
    await done(alice, task, "skip")

    await patched(alice, task, **change)

    completed = [(await done(alice, task, "skip"))["completed"] for _ in range(left + 1)]
    assert completed == [False] * left + [True]


@pytest.mark.spec("REC-19")
async def test_a_new_time_of_day_or_zone_is_the_one_kept(alice: AsyncClient) -> None:
    task = await created(alice, **BERLIN, recurrence="FREQ=DAILY")
    await done(alice, task, "skip")

    await patched(alice, task, due_at="2126-10-26T12:00:00Z", time_zone="Asia/Tokyo")

    assert (await done(alice, task, "skip"))["due_at"] == "2126-10-27T12:00:00Z"


@pytest.mark.spec("REC-19", "TASK-22")
@pytest.mark.parametrize(
    ("rule", "changes", "expected"),
    [
        ("FREQ=DAILY;COUNT=3", "due_at = due_at + interval '7 h'", "2126-04-01T14:00:00Z"),
        ("FREQ=DAILY;UNTIL=21270101T000000Z", "due_at = NULL, due_on = '2126-01-01'", None),
        ("FREQ=DAILY", "time_zone = NULL", None),
        ("FREQ=DAILY", "due_at = NULL, time_zone = NULL", None),
    ],
)
async def test_what_the_release_before_writes_starts_anew_or_clears_the_rule(
    app: FastAPI, alice: AsyncClient, rule: str, changes: str, expected: str | None
) -> None:
    task = await created(alice, **BERLIN, recurrence=rule)
    await done(alice, task, "skip")
    if "due_on" in changes:
        changes += ", time_zone = NULL"

    async with app.state.resources.database.engine.begin() as connection:
        await connection.execute(
            text(f"UPDATE task SET {changes} WHERE id = :id"),  # noqa: S608 - of this test alone
            {"id": task["id"]},
        )

    skipped = await alice.post(f"{TASKS}/{task['id']}/skip")
    if expected is None:
        assert skipped.json()["code"] == "not_recurring"
        assert (await alice.get(f"{TASKS}/{task['id']}")).json()["recurrence"] is None
    else:
        assert skipped.json()["due_at"] == expected
        assert (await done(alice, task, "skip"))["completed"] is False


async def by_patch(client: AsyncClient, task: Any) -> None:
    await client.patch(f"{TASKS}/{task['id']}", json={"completed": True})


async def by_put(client: AsyncClient, task: Any) -> None:
    body = DAILY | {"completed": True}
    await client.put(f"{TASKS}/{task['id']}", json=body, headers={"If-Match": "*"})


async def by_batch(client: AsyncClient, task: Any) -> None:
    await client.post("/api/v1/batch", json={"operations": [{"op": "complete", "id": task["id"]}]})


async def by_phase_two(client: AsyncClient, task: Any) -> None:
    shown = (await client.get(f"/api/tasks/{task['id']}")).json()
    await client.put(f"/api/tasks/{task['id']}", json=shown | {"completed": True})


async def by_toggle(client: AsyncClient, task: Any) -> None:
    await client.patch(f"/api/tasks/{task['id']}/complete")


@pytest.mark.spec("REC-21")
@pytest.mark.parametrize("way", [by_patch, by_put, by_batch, by_phase_two, by_toggle])
async def test_every_way_to_complete_goes_on_to_the_next_due(alice: AsyncClient, way: Any) -> None:
    task = await created(alice, **DAILY)

    await way(alice, task)

    now = (await alice.get(f"{TASKS}/{task['id']}")).json()
    assert (now["completed"], now["due_on"]) == (False, "2126-11-26")
    assert [each["due_on"] for each in await completions(alice, task)] == ["2126-11-25"]


@pytest.mark.spec("REC-21")
@pytest.mark.parametrize(
    ("change", "expected", "recorded"),
    [
        ({"due_on": "2126-12-24"}, (False, "2126-12-25"), ["2126-12-24"]),
        ({"recurrence": "FREQ=WEEKLY"}, (False, "2126-12-02"), ["2126-11-25"]),
        ({"recurrence": None}, (True, "2126-11-25"), []),
        ({"recurrence": None, "due_on": None}, (True, None), []),
    ],
)
async def test_what_is_written_beside_is_completed(
    alice: AsyncClient, change: dict[str, Any], expected: Any, recorded: list[str]
) -> None:
    task = await created(alice, **DAILY)

    now = await patched(alice, task, completed=True, **change)

    assert (now["completed"], now["due_on"]) == expected
    assert [each["due_on"] for each in await completions(alice, task)] == recorded


@pytest.mark.spec("REC-21")
async def test_a_task_that_is_put_or_created_as_completed_stays_completed(
    alice: AsyncClient,
) -> None:
    body = DAILY | {"completed": True}
    task = await created(alice, **body)

    put = await alice.put(
        f"{TASKS}/{task['id']}", json=body | {"title": "y"}, headers={"If-Match": "*"}
    )

    assert task["completed"] is True
    assert (put.json()["completed"], put.json()["due_on"]) == (True, "2126-11-25")
    assert await completions(alice, task) == []


@pytest.mark.spec("REC-20", "REC-22", "TASK-14")
@pytest.mark.parametrize("act", ["complete", "skip"])
async def test_an_old_etag_goes_on_nowhere(alice: AsyncClient, act: str) -> None:
    task = await created(alice, **DAILY)
    url, headers = f"{TASKS}/{task['id']}/{act}", {"If-Match": '"1"'}

    first, second = [await alice.post(url, headers=headers) for _ in range(2)]

    assert (first.status_code, second.status_code) == (200, 412)
    assert second.json()["current"] == first.json()
    assert second.json()["changed"] == ["due_on"]
    assert len(await completions(alice, task)) == (1 if act == "complete" else 0)


@pytest.mark.spec("REC-20", "BATCH-3", "BATCH-5")
async def test_a_batch_that_fails_leaves_due_and_completions(alice: AsyncClient) -> None:
    task = await created(alice, **DAILY)
    operations = [
        {"op": "complete", "id": task["id"]},
        {"op": "skip", "id": task["id"]},
        {"op": "skip", "id": task["id"], "if_match": '"1"'},
    ]

    failed = await alice.post("/api/v1/batch", json={"atomic": True, "operations": operations})

    assert (failed.status_code, failed.json()["index"]) == (412, 2)
    assert (await alice.get(f"{TASKS}/{task['id']}")).json() == task
    assert await completions(alice, task) == []


@pytest.mark.spec("REC-22", "BATCH-1")
async def test_skipping_gives_the_next_due_and_records_nothing(alice: AsyncClient) -> None:
    task = await created(alice, **DAILY)

    skipped = await done(alice, task, "skip")
    batch = {"operations": [{"op": "skip", "id": task["id"]}]}
    (again,) = (await alice.post("/api/v1/batch", json=batch)).json()["results"]

    assert (skipped["due_on"], skipped["completed"]) == ("2126-11-26", False)
    assert again["task"]["due_on"] == "2126-11-27"
    assert await completions(alice, task) == []


@pytest.mark.spec("REC-22")
async def test_skipping_the_last_one_closes_the_task_without_a_completion(
    alice: AsyncClient,
) -> None:
    task = await created(alice, **DAILY | {"recurrence": "FREQ=DAILY;COUNT=1"})

    skipped = await done(alice, task, "skip")

    assert (skipped["completed"], skipped["due_on"]) == (True, "2126-11-25")
    assert skipped["completed_at"] == skipped["updated_at"]
    assert await completions(alice, task) == []


@pytest.mark.spec("REC-22")
@pytest.mark.parametrize("fields", [{}, {"due_on": "2126-01-01"}, DAILY | {"completed": True}])
async def test_what_does_not_recur_cannot_be_skipped(
    alice: AsyncClient, fields: dict[str, Any]
) -> None:
    task = await created(alice, **fields)

    response = await alice.post(f"{TASKS}/{task['id']}/skip")

    assert (response.status_code, response.json()["code"]) == (409, "not_recurring")
    assert (await alice.get(f"{TASKS}/{task['id']}")).json() == task


@pytest.mark.spec("REC-23")
async def test_completions_are_paged_the_latest_first_and_outlive_the_rule(
    alice: AsyncClient,
) -> None:
    task = await created(alice, **BERLIN, recurrence="FREQ=DAILY")
    for _ in range(5):
        await done(alice, task)
    await patched(alice, task, recurrence=None)
    url, found = f"{TASKS}/{task['id']}/completions", []
    cursor: dict[str, Any] = {}

    for size in (2, 2, 1):
        page = (await alice.get(url, params={"limit": 2, **cursor})).json()
        assert len(page["items"]) == size
        found += page["items"]
        cursor = {"cursor": page["next_cursor"]}

    assert cursor == {"cursor": None}
    assert [each["due_at"] for each in found] == [
        "2126-04-03T07:00:00Z",
        "2126-04-02T07:00:00Z",
        "2126-04-01T07:00:00Z",
        "2126-03-31T07:00:00Z",
        "2126-03-30T08:00:00Z",
    ]


@pytest.mark.spec("REC-23", "TASK-20")
async def test_a_cursor_of_other_completions_is_refused(alice: AsyncClient) -> None:
    tasks = [await created(alice, **DAILY) for _ in range(2)]
    for task in tasks * 2:
        await done(alice, task)
    one, other = (f"{TASKS}/{task['id']}/completions" for task in tasks)
    cursor = (await alice.get(one, params={"limit": 1})).json()["next_cursor"]

    response = await alice.get(other, params={"cursor": cursor})

    assert (response.status_code, response.json()["code"]) == (400, "invalid_cursor")


@pytest.mark.spec("REC-23", "TRASH-1")
async def test_completions_go_with_their_task_and_come_back_with_it(alice: AsyncClient) -> None:
    task = await created(alice, **DAILY)
    await done(alice, task)
    before = await completions(alice, task)
    url = f"{TASKS}/{task['id']}"

    await alice.delete(url)
    gone = await alice.get(f"{url}/completions")
    await alice.post(f"{url}/restore")
    back = await completions(alice, task)
    await alice.delete(url)
    purged = await alice.delete(f"/api/v1/trash/{task['id']}")

    assert (gone.status_code, gone.json()["code"]) == (404, "task_not_found")
    assert back == before
    assert purged.status_code == 204


@pytest.mark.spec("REC-24")
async def test_reminders_start_and_subtasks_stay_as_they_are(alice: AsyncClient) -> None:
    kept = {"reminders": ["PT30M", "2126-11-25T08:00:00Z"], "start_at": "2126-11-24T08:00:00Z"}
    task = await created(alice, **DAILY, **kept)
    subtask = await created(alice, parent_id=task["id"])

    moved = await done(alice, task)

    assert moved["due_on"] == "2126-11-26"
    assert {name: moved[name] for name in kept} == kept
    assert (await alice.get(f"{TASKS}/{subtask['id']}")).json() == subtask


@pytest.mark.spec("REC-25")
async def test_phase_two_puts_back_an_instant_without_losing_its_zone(alice: AsyncClient) -> None:
    task = await created(alice, **BERLIN, recurrence="FREQ=DAILY")
    shown = (await alice.get(f"/api/tasks/{task['id']}")).json()

    put = await alice.put(f"/api/tasks/{task['id']}", json=shown | {"title": "y"})

    assert put.status_code == 200
    now = (await alice.get(f"{TASKS}/{task['id']}")).json()
    assert (now["title"], now["time_zone"], now["recurrence"]) == (
        "y",
        "Europe/Berlin",
        "FREQ=DAILY",
    )


@pytest.mark.spec("REC-25")
@pytest.mark.parametrize("fields", [{"due_on": "2126-11-25"}, BERLIN])
async def test_phase_two_takes_the_rule_with_the_due(
    alice: AsyncClient, fields: dict[str, Any]
) -> None:
    task = await created(alice, **fields, recurrence="FREQ=DAILY")

    put = await alice.put(f"/api/tasks/{task['id']}", json={"due_date": None})

    assert put.status_code == 200
    now = (await alice.get(f"{TASKS}/{task['id']}")).json()
    assert {now[name] for name in ("due_on", "due_at", "time_zone", "recurrence")} == {None}
