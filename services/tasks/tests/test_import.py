import asyncio
import csv
import json
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from fastapi import FastAPI
from httpx import AsyncClient, Response
from sqlalchemy import event

IMPORT, EXPORT, TASKS = "/api/v1/import", "/api/v1/export", "/api/v1/tasks"
CSV = {"Content-Type": "text/csv"}
VARYING = {"id": 0, "position": 0, "version": 0, "created_at": 0, "updated_at": 0}


async def send(user: AsyncClient, document: Any, **options: Any) -> Response:
    return await user.post(IMPORT, json=document, **options)


async def send_csv(user: AsyncClient, *lines: str, **options: Any) -> Response:
    content = "\r\n".join(lines).encode()
    headers = CSV | options.pop("headers", {})
    return await user.post(IMPORT, content=content, headers=headers, **options)


@pytest.mark.spec("LIMIT-9")
@pytest.mark.parametrize(
    ("size", "cost"), [(1, 1), (32 * 1024, 1), (32 * 1024 + 1, 2), (100 * 1024, 4)]
)
async def test_an_import_tells_the_gateway_what_it_cost_taken_or_not(
    alice: AsyncClient, size: int, cost: int
) -> None:
    bad = await alice.post(IMPORT, content="x" * size, headers=CSV)
    good = await alice.post(IMPORT, content="title".ljust(size, "\n"), headers=CSV)

    assert (bad.status_code, good.status_code) == (422, 200)
    assert [answer.headers["x-request-cost"] for answer in (bad, good)] == [str(cost)] * 2


async def export(user: AsyncClient) -> Any:
    return (await user.get(EXPORT)).json()


def data_of(document: Any) -> Any:
    """Return an export without what is stamped anew, in an order of its own."""
    stamped = {"version", "updated_at"}
    return {
        name: sorted(
            (
                {field: value for field, value in row.items() if field not in stamped}
                for row in document[name]
            ),
            key=lambda row: row["id"],
        )
        for name in ("lists", "tags", "tasks", "completions")
    }


async def tasks_of(user: AsyncClient) -> list[dict[str, Any]]:
    """Return the tasks of a user in their order."""
    found = await user.get(TASKS, params={"sort": "position", "limit": 200})
    tasks: list[dict[str, Any]] = found.json()["items"]
    return tasks


async def nothing_of(user: AsyncClient) -> bool:
    return not any(data_of(await export(user)).values())


def errors_in(response: Response) -> list[dict[str, Any]]:
    assert (response.status_code, response.json()["code"]) == (422, "import_refused")
    errors: list[dict[str, Any]] = response.json()["errors"]
    return errors


async def fill(user: AsyncClient) -> None:
    """Give a user something of every kind."""

    async def create(path: str, **body: Any) -> str:
        created = await user.post(f"/api/v1/{path}", json=body)
        assert created.status_code == 201, created.text
        return str(created.json()["id"])

    errands = await create("lists", name="Errands", colour="#ff0000", archived=True)
    await create("lists", name="Home")
    gone = await create("lists", name="Gone")
    parent = await create("tasks", title="=1+1", description="", list_id=errands, tags=["Ä", "b"])
    child = await create("tasks", title="'child", parent_id=parent, priority="urgent")
    await create("tasks", title="grandchild", parent_id=child, completed=True)
    await create("tasks", title="in the trash with its list", list_id=gone)
    await user.delete(f"/api/v1/lists/{gone}")
    lone = await create("tasks", title="in the trash", parent_id=parent)
    await user.delete(f"{TASKS}/{lone}")
    # The clocks of Berlin skip the hour from 2:00 on 29 March 2026.
    moved = await create(
        "tasks",
        title="moved",
        due_at="2026-03-28T01:30:00Z",
        time_zone="Europe/Berlin",
        recurrence="FREQ=DAILY;COUNT=9",
        reminders=["PT30M", "2026-03-27T10:00:00Z"],
        start_at="2026-03-01T00:00:00Z",
    )
    await user.post(f"{TASKS}/{moved}/skip")
    daily = await create(
        "tasks",
        title="daily",
        due_on="2026-11-25",
        recurrence="FREQ=DAILY",
        recurrence_from="completion",
    )
    await user.post(f"{TASKS}/{daily}/complete")
    await user.post(f"{TASKS}/{moved}/move", json={"before_id": daily})
    await create("tasks", title="no more tags", tags=["gone"])
    last = (await tasks_of(user))[-1]["id"]
    await user.patch(f"{TASKS}/{last}", json={"tags": []})


@pytest.mark.spec("DATA-8", "DATA-10", "DATA-11", "DATA-13", "DATA-21")
async def test_an_export_imported_into_an_empty_account_is_the_same_data(
    alice: AsyncClient, mallory: AsyncClient
) -> None:
    await fill(alice)
    exported = await export(alice)
    before = await tasks_of(alice)

    imported = await send(mallory, exported)

    assert imported.json() == {name: len(exported[name]) for name in imported.json()}
    assert data_of(await export(mallory)) == data_of(exported)
    assert [task["id"] for task in await tasks_of(mallory)] == [task["id"] for task in before]
    assert await export(alice) | {"exported_at": None} == exported | {"exported_at": None}
    moved = next(task for task in before if task["title"] == "moved")
    goes_on = [await user.post(f"{TASKS}/{moved['id']}/skip") for user in (alice, mallory)]
    assert goes_on[0].json()["due_at"] == goes_on[1].json()["due_at"] == "2026-03-30T00:30:00Z"


@pytest.mark.spec("DATA-5", "DATA-10", "DATA-15")
async def test_a_csv_imported_into_an_empty_account_is_the_same_tasks(
    alice: AsyncClient, mallory: AsyncClient
) -> None:
    await fill(alice)
    exported = data_of(await export(alice))
    content = (await alice.get(EXPORT, params={"format": "csv"})).content

    imported = await mallory.post(IMPORT, content=content, headers=CSV)

    assert imported.status_code == 200, imported.text
    in_trashed_list = {one["id"] for one in exported["lists"] if one["deleted_at"]}
    for task in exported["tasks"]:
        task["list_id"] = None if task["list_id"] in in_trashed_list else task["list_id"]
    found = data_of(await export(mallory))
    assert found["tasks"] == exported["tasks"]
    assert [(one["id"], one["name"]) for one in found["lists"]] == [
        (one["id"], one["name"]) for one in exported["lists"] if one["name"] == "Errands"
    ]
    again = (await mallory.get(EXPORT, params={"format": "csv"})).text
    stamped = {"version", "updated_at"}
    assert _without(again, stamped) == _without(content.decode(), stamped)


def _without(text: str, columns: set[str]) -> list[dict[str, str]]:
    rows = csv.DictReader(StringIO(text.removeprefix("\ufeff"), newline=""))
    return [{name: cell for name, cell in row.items() if name not in columns} for row in rows]


@pytest.mark.spec("DATA-8", "DATA-12", "DATA-15")
async def test_a_title_is_enough(alice: AsyncClient) -> None:
    await send(alice, {"tasks": [{"title": "one"}]})
    await send_csv(alice, "title", "two", "", "three")

    tasks = await tasks_of(alice)
    assert [task["title"] for task in tasks] == ["one", "two", "three"]
    assert [task["version"] for task in tasks] == [1, 2, 3]
    made = (await alice.post(TASKS, json={"title": "four"})).json()
    assert made["version"] == 4
    assert {**tasks[0], **VARYING} == {**made, **VARYING, "title": "one"}


@pytest.mark.spec("DATA-9", "DATA-14")
@pytest.mark.parametrize("as_csv", [True, False], ids=["csv", "json"])
async def test_ten_thousand_rows_are_all_or_nothing_and_bad_ones_are_named(
    alice: AsyncClient, as_csv: bool
) -> None:
    rows = [{"title": f"task {number}", "due_on": "2026-11-25"} for number in range(10_000)]
    rows[7]["title"], rows[4_999]["due_on"], rows[9_999]["title"] = "", "tomorrow", "x" * 201

    if as_csv:
        lines = [f"{row['title']},{row['due_on']}" for row in rows]
        response = await send_csv(alice, "title,due_on", *lines)
        places = [(error["line"], error["field"]) for error in errors_in(response)]
        expected: list[Any] = [(9, "title"), (5_001, "due_on"), (10_001, "title")]
    else:
        response = await send(alice, {"tasks": rows})
        places = [error["pointer"] for error in errors_in(response)]
        expected = ["#/tasks/7/title", "#/tasks/4999/due_on", "#/tasks/9999/title"]

    assert places == expected
    assert await nothing_of(alice)
    assert (await alice.post(TASKS, json={"title": "x"})).json()["version"] == 1


@pytest.mark.spec("DATA-13", "DATA-14")
async def test_ten_thousand_rows_cost_few_statements_and_a_version_each(
    app: FastAPI, alice: AsyncClient
) -> None:
    engine = app.state.resources.database.engine.sync_engine
    sent: list[Any] = []

    def note(
        _connection: Any, _cursor: Any, statement: str, _parameters: Any, _: Any, many: Any
    ) -> None:
        assert not many
        sent.append(statement)

    tasks = [{"title": f"task {n}", "tags": [f"t{n % 7}"]} for n in range(9_999)]
    event.listen(engine, "before_cursor_execute", note)
    try:
        response = await send(alice, {"tasks": tasks, "tags": [{"name": "T1"}]})
    finally:
        event.remove(engine, "before_cursor_execute", note)

    assert response.json() == {"lists": 0, "tags": 7, "tasks": 9_999, "completions": 0}
    assert len(sent) == 17
    latest = (await alice.get(TASKS, params={"sort": "-position", "limit": 2})).json()["items"]
    assert [(task["title"], task["version"]) for task in latest] == [
        ("task 9998", 10_000),
        ("task 9997", 9_999),
    ]
    names = [tag["name"] for tag in (await alice.get("/api/v1/tags")).json()["items"]]
    assert names == ["t0", "T1", "t2", "t3", "t4", "t5", "t6"]


@pytest.mark.spec("DATA-9")
async def test_no_more_than_a_hundred_errors_are_told(alice: AsyncClient) -> None:
    response = await send(alice, {"tasks": [{"title": ""}] * 200})

    assert len(errors_in(response)) == 100


@pytest.mark.spec("DATA-14")
async def test_more_rows_than_are_taken_are_refused(alice: AsyncClient) -> None:
    (error,) = errors_in(await send_csv(alice, "title", *["x"] * 25_001))

    assert "25000" in error["detail"]


@pytest.mark.spec("DATA-11")
async def test_ids_are_kept_and_those_the_user_has_are_errors(alice: AsyncClient) -> None:
    await fill(alice)
    exported = await export(alice)

    again = errors_in(await send(alice, exported))
    copied = await send(alice, exported, params={"ids": "new"})

    ids = [f"#/lists/{number}/id" for number in range(len(exported["lists"]))]
    ids += [f"#/tasks/{number}/id" for number in range(len(exported["tasks"]))]
    assert [error["pointer"] for error in again] == [*ids, "#/completions/0/id"]
    assert copied.status_code == 200
    both = await export(alice)
    assert len(both["tags"]) == len(exported["tags"])
    for name in ("lists", "tasks", "completions"):
        assert len(both[name]) == 2 * len({row["id"] for row in exported[name]})
    by_id = {task["id"]: task for task in both["tasks"]}
    old = {task["id"] for task in exported["tasks"]}
    for task in both["tasks"]:
        if task["parent_id"] is not None:
            assert (task["id"] in old) == (task["parent_id"] in old)
            assert by_id[task["parent_id"]]["list_id"] == task["list_id"]


@pytest.mark.spec("DATA-11", "DATA-21")
async def test_ids_of_others_make_no_difference(alice: AsyncClient, mallory: AsyncClient) -> None:
    await fill(alice)
    exported = await export(alice)
    row = {"id": exported["tasks"][0]["id"], "title": "Mine"}

    mine = await send(mallory, {"tasks": [row]})
    referring = errors_in(
        await send(mallory, {"tasks": [{"title": "x", "list_id": exported["lists"][0]["id"]}]})
    )

    assert mine.status_code == 200
    assert referring[0]["pointer"] == "#/tasks/0/list_id"
    assert await export(alice) | {"exported_at": 0} == exported | {"exported_at": 0}


@pytest.mark.spec("DATA-8")
async def test_tags_that_tasks_bring_are_counted_where_they_are_new(alice: AsyncClient) -> None:
    lines = ('x,"Home,b"', "y,HOME", "z,c", "w,")

    first, again = [await send_csv(alice, "title,tags", *lines) for _ in range(2)]

    assert first.json() == {"lists": 0, "tags": 3, "tasks": 4, "completions": 0}
    assert again.json() == {"lists": 0, "tags": 0, "tasks": 4, "completions": 0}


@pytest.mark.spec("DATA-11")
async def test_a_tag_goes_by_its_name(alice: AsyncClient) -> None:
    await alice.post(TASKS, json={"title": "x", "tags": ["Home"]})
    (known,) = (await alice.get("/api/v1/tags")).json()["items"]
    tags = [{"id": str(uuid4()), "name": "HOME"}, {"id": known["id"], "name": "renamed"}]

    response = await send(alice, {"tags": tags, "tasks": [{"title": "y", "tags": ["home"]}]})

    assert response.json() == {"lists": 0, "tags": 1, "tasks": 1, "completions": 0}
    found = (await alice.get("/api/v1/tags")).json()["items"]
    assert [(tag["name"], tag["task_count"]) for tag in found] == [("Home", 2), ("renamed", 0)]
    assert found[0] == {**known, "task_count": 2}


@pytest.mark.spec("DATA-13")
async def test_what_is_made_after_an_import_comes_behind_it(
    alice: AsyncClient, mallory: AsyncClient
) -> None:
    for number in range(5):
        await alice.post(TASKS, json={"title": f"{number}"})
    await alice.post("/api/v1/lists", json={"name": "first"})
    document = await export(alice)
    del document["tasks"][:4]
    document["tasks"].append({"title": "without a position"})

    await send(mallory, document)
    await mallory.post(TASKS, json={"title": "made after"})
    await mallory.post("/api/v1/lists", json={"name": "second"})

    titles = [task["title"] for task in await tasks_of(mallory)]
    assert titles == ["4", "without a position", "made after"]
    lists = (await mallory.get("/api/v1/lists")).json()["items"]
    assert [one["name"] for one in lists] == ["first", "second"]


A, B, C, D, E, F = (str(uuid4()) for _ in range(6))
COMPLETED = {"completed_at": "2026-01-01T00:00:00Z"}
TRASHED = {"deleted_at": "2026-01-01T00:00:00Z"}


def task(task_id: str, parent_id: str | None = None, **given: Any) -> dict[str, Any]:
    return {"id": task_id, "title": "x", "parent_id": parent_id, **given}


def a_list(list_id: str, **given: Any) -> dict[str, Any]:
    return {"id": list_id, "name": "x", **given}


DAILY = {"due_on": "2026-11-25", "recurrence": "FREQ=DAILY"}


@pytest.mark.spec("DATA-9", "DATA-12")
@pytest.mark.parametrize(
    ("document", "pointers"),
    [
        ({"tasks": [task(A), task(A)]}, ["#/tasks/1/id"]),
        ({"lists": [a_list(A), a_list(A)]}, ["#/lists/1/id"]),
        ({"tags": [{"name": "a"}, {"name": "A"}]}, ["#/tags/1/name"]),
        ({"tasks": [task(A, B)]}, ["#/tasks/0/parent_id"]),
        ({"tasks": [task(A, B), task(C, A)]}, ["#/tasks/0/parent_id"]),
        ({"tasks": [task(A, A)]}, ["#/tasks/0/parent_id"]),
        ({"tasks": [task(A, B), task(B, A)]}, ["#/tasks/0/parent_id", "#/tasks/1/parent_id"]),
        (
            {"tasks": [task(F, E), task(E, D), task(D, C), task(C, B), task(B, A), task(A)]},
            ["#/tasks/0/parent_id"],
        ),
        ({"tasks": [task(A, list_id=B)]}, ["#/tasks/0/list_id"]),
        (
            {"lists": [a_list(A), a_list(B)], "tasks": [task(C, list_id=A), task(D, C, list_id=B)]},
            ["#/tasks/1/list_id"],
        ),
        ({"tasks": [task(A, **TRASHED), task(B, A)]}, ["#/tasks/1/parent_id"]),
        ({"lists": [a_list(A, **TRASHED)], "tasks": [task(B, list_id=A)]}, ["#/tasks/0/list_id"]),
        (
            {"completions": [{"task_id": A, "due_on": "2026-01-01", **COMPLETED}]},
            ["#/completions/0/task_id"],
        ),
        (
            {"tasks": [task(A)], "completions": [{"task_id": A, **COMPLETED}]},
            ["#/completions/0/due_on"],
        ),
        (
            {"tasks": [task(A, due_on="2026-01-01", due_at="2026-01-01T00:00:00Z")]},
            ["#/tasks/0/due_on"],
        ),
        ({"tasks": [task(A, recurrence="FREQ=DAILY")]}, ["#/tasks/0/due_on"]),
        ({"tasks": [task(A, recurrence="daily")]}, ["#/tasks/0/recurrence"]),
        ({"tasks": [task(A, recurrence_number=2)]}, ["#/tasks/0/recurrence_number"]),
        (
            {"tasks": [task(A, **DAILY, recurrence_local="2026-11-26T00:00:00")]},
            ["#/tasks/0/recurrence_local"],
        ),
        (
            {"tasks": [task(A, **DAILY, recurrence_local="2026-11-25T00:00:00Z")]},
            ["#/tasks/0/recurrence_local"],
        ),
        (
            {"tasks": [task(A, completed=False, completed_at="2026-01-01T00:00:00Z")]},
            ["#/tasks/0/completed"],
        ),
        ({"tasks": [task(A, position="80")]}, ["#/tasks/0/position"]),
        ({"tasks": [task(A, position="ffffffffff")]}, ["#/tasks/0/position"]),
        ({"tasks": [task(A, position="80000000010")]}, ["#/tasks/0/position"]),
        ({"tasks": [task(A, colour="red")]}, ["#/tasks/0/colour"]),
        ({"tasks": [task(A, tags=["a", ""])]}, ["#/tasks/0/tags/1"]),
        ({"tasks": ["x", None]}, ["#/tasks/0", "#/tasks/1"]),
        ({"tasks": {}}, ["#/tasks"]),
        ({"task": []}, ["#/task"]),
        ({"taskgate": 2}, ["#/taskgate"]),
        ([], ["#"]),
    ],
)
async def test_what_a_document_may_not_be(
    alice: AsyncClient, document: Any, pointers: list[str]
) -> None:
    response = await send(alice, document)

    assert [error["pointer"] for error in errors_in(response)] == pointers
    assert await nothing_of(alice)


@pytest.mark.spec("DATA-12")
async def test_five_levels_in_any_order_and_a_subtask_follows_its_parents_list(
    alice: AsyncClient,
) -> None:
    rows = [task(E, D), task(D, C), task(A, list_id=F), task(C, B), task(B, A)]

    response = await send(alice, {"lists": [a_list(F)], "tasks": rows})

    assert response.status_code == 200, response.text
    assert {one["list_id"] for one in await tasks_of(alice)} == {F}


@pytest.mark.spec("DATA-12")
async def test_a_task_may_go_into_a_list_the_user_has(alice: AsyncClient) -> None:
    known = (await alice.post("/api/v1/lists", json={"name": "x"})).json()["id"]
    gone = (await alice.post("/api/v1/lists", json={"name": "x"})).json()["id"]
    await alice.delete(f"/api/v1/lists/{gone}")

    taken = await send(alice, {"tasks": [task(A, list_id=known)]}, params={"ids": "new"})
    refused = await send(alice, {"tasks": [task(B, list_id=gone)]})

    assert taken.status_code == 200
    assert errors_in(refused)[0]["pointer"] == "#/tasks/0/list_id"


@pytest.mark.spec("DATA-15")
async def test_lists_are_made_of_the_names_in_a_csv(alice: AsyncClient) -> None:
    known = (await alice.post("/api/v1/lists", json={"name": "Known"})).json()["id"]

    response = await send_csv(
        alice,
        "list,title,list_id",
        "Home,a,",
        "Home,b,",
        f"Other name,c,{known}",
        f"Work,d,{A}",
        f",e,{A}",
        "'=x,f,",
    )

    assert response.json()["lists"] == 3
    names = {one["id"]: one["name"] for one in data_of(await export(alice))["lists"]}
    homes = {one["title"]: names[one["list_id"]] for one in await tasks_of(alice)}
    assert homes == {"a": "Home", "b": "Home", "c": "Known", "d": "Work", "e": "Work", "f": "=x"}


@pytest.mark.spec("DATA-9", "DATA-15")
@pytest.mark.parametrize(
    ("lines", "places"),
    [
        (["name", "x"], [(1, "name"), (1, "title")]),
        (["title,title", "x,y"], [(1, None)]),
        ([], [(1, "title")]),
        (["title", "a,b"], [(2, None)]),
        (["title,due_on", "ok,", '"two\nlines",soon'], [(3, "due_on")]),
        (["title,tags", 'x,"a,""b"'], [(2, "tags")]),
        (["title,tags", 'x,"a\nb"'], [(2, "tags")]),
        (["title,completed", "x,yes"], [(2, "completed")]),
        (["title,recurrence_number", "x,two"], [(2, "recurrence_number")]),
        (["title,recurrence_number", f"x,{'9' * 5000}"], [(2, "recurrence_number")]),
        (["title,list", f"x,{'l' * 101}"], [(2, "list")]),
        (["title,priority", "x,high", "y,highest"], [(3, "priority")]),
        (["title,description", f"x,{'d' * 10_001}"], [(2, "description")]),
        (["title", "a\0b"], [(2, "title")]),
        (["title,parent_id", f"x,{A}"], [(2, "parent_id")]),
    ],
)
async def test_what_is_wrong_with_a_csv_is_told_by_line_and_column(
    alice: AsyncClient, lines: list[str], places: list[tuple[int, str | None]]
) -> None:
    response = await send_csv(alice, *lines)

    found = [(error["line"], error.get("field")) for error in errors_in(response)]
    assert found == places
    assert await nothing_of(alice)


@pytest.mark.spec("DATA-15")
async def test_a_csv_that_a_spreadsheet_saved_is_taken(alice: AsyncClient) -> None:
    content = '\ufefftitle,completed,description\ncafé,TRUE,"a\nb"\n,,\n'.encode()

    await alice.post(IMPORT, content=content, headers=CSV)

    (found,) = await tasks_of(alice)
    assert (found["title"], found["completed"], found["description"]) == ("café", True, "a\nb")


@pytest.mark.spec("DATA-17")
@pytest.mark.parametrize(
    "content",
    [
        "title\nx".encode("utf-16"),
        b"title\n\xff",
        b'title\n"open',
        b'title\n"a"b',
        b"title\n" + b"x" * 200_000,
    ],
)
async def test_what_is_no_csv_in_utf_8_is_400(alice: AsyncClient, content: bytes) -> None:
    response = await alice.post(IMPORT, content=content, headers=CSV)

    assert (response.status_code, response.json()["code"]) == (400, "malformed_csv")


@pytest.mark.spec("DATA-14", "DATA-17")
@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"{", 400, "malformed_json"),
        (b"", 400, "malformed_json"),
        (b"\xef\xbb\xbf{}", 400, "malformed_json"),
        (b"[" * 100_000, 422, "validation_failed"),
        (b'{"tasks": [{"title": "a\\u0000"}]}', 422, "validation_failed"),
        (b'{"tasks": [{"title": [[[1]]]}]}', 422, "validation_failed"),
        (b"[" + b"[]," * 1_000_000 + b"[]]", 422, "validation_failed"),
        (b'"' + b"x" * (10 * 1024 * 1024 - 1), 400, "malformed_json"),
        (b'"' + b"x" * (10 * 1024 * 1024), 413, "body_too_large"),
    ],
    ids=["open", "none", "mark", "deep", "nul", "nested", "many", "long", "longer"],
)
async def test_what_is_no_document_is_refused(
    alice: AsyncClient, content: bytes, status: int, code: str
) -> None:
    response = await alice.post(
        IMPORT, content=content, headers={"Content-Type": "application/json"}
    )

    assert (response.status_code, response.json()["code"]) == (status, code)


@pytest.mark.spec("DATA-17")
@pytest.mark.parametrize(
    "content_type", ["text/plain", "text/csv; charset=latin-1", "text/calendar", None]
)
async def test_another_kind_of_file_is_415(alice: AsyncClient, content_type: str | None) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}

    response = await alice.post(IMPORT, content=b"title\nx", headers=headers)

    assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.spec("DATA-18")
async def test_an_import_under_a_key_is_done_once(alice: AsyncClient) -> None:
    key = {"Idempotency-Key": "k"}

    first, again = [await send_csv(alice, "title", "x", headers=key) for _ in range(2)]
    other = await send_csv(alice, "title", "y", headers=key)
    refused = await send_csv(alice, "title,x", "x", headers={"Idempotency-Key": "bad"})
    mended = await send_csv(alice, "title", "z", headers={"Idempotency-Key": "bad"})

    assert first.json() == again.json() == {"lists": 0, "tags": 0, "tasks": 1, "completions": 0}
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert (refused.status_code, mended.status_code) == (422, 200)
    assert [one["title"] for one in await tasks_of(alice)] == ["x", "z"]


@pytest.mark.spec("DATA-13")
async def test_imports_and_writes_at_once_take_different_versions(alice: AsyncClient) -> None:
    await asyncio.gather(
        *(send_csv(alice, "title", *["x"] * 20) for _ in range(3)),
        *(alice.post(TASKS, json={"title": "y"}) for _ in range(5)),
    )

    assert sorted(one["version"] for one in await tasks_of(alice)) == list(range(1, 66))


@pytest.mark.spec("DATA-13")
async def test_the_whole_document_is_read_as_it_was_sent(alice: AsyncClient) -> None:
    row = {"title": "x", "created_at": "2020-01-01T00:00:00+02:00", "version": "any", **TRASHED}

    response = await alice.post(
        IMPORT,
        content=json.dumps({"tasks": [row], "exported_at": None}),
        headers={"Content-Type": "application/json; charset=utf-8"},
    )

    assert response.status_code == 200
    (found,) = (await alice.get("/api/v1/trash")).json()["items"]
    assert (found["created_at"], found["version"]) == ("2019-12-31T22:00:00Z", 1)
    assert found["deleted_at"] == TRASHED["deleted_at"]
