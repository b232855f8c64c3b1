from typing import Any
from uuid import UUID

import pytest
from httpx import AsyncClient

TASKS = "/api/v1/tasks"
NOBODYS = UUID(int=1)


@pytest.mark.spec("TASK-2", "TASK-3", "TASK-4", "TASK-5", "TASK-25")
@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"title": "x"}, {"title": "x"}),
        ({"title": "é" * 200}, {"title": "é" * 200}),
        ({"title": " " + "😀" * 200 + "\n"}, {"title": "😀" * 200}),
        ({"description": ""}, {"description": ""}),
        ({"description": "d" * 10_000}, {"description": "d" * 10_000}),
        ({"priority": "urgent"}, {"priority": "urgent"}),
        ({"due_on": "0001-01-01"}, {"due_on": "0001-01-01"}),
        ({"due_on": "9999-12-31"}, {"due_on": "9999-12-31"}),
        ({"due_at": "2026-05-01T10:00:00+02:00"}, {"due_at": "2026-05-01T08:00:00Z"}),
        ({"due_at": "2026-05-01t10:00:00.5z"}, {"due_at": "2026-05-01T10:00:00.500000Z"}),
        ({"due_at": "0001-01-01T00:00:00Z"}, {"due_at": "0001-01-01T00:00:00Z"}),
        (
            {"due_at": "9999-12-31T23:59:59.999999Z"},
            {"due_at": "9999-12-31T23:59:59.999999Z"},
        ),
        (
            {"due_at": "2026-05-01T10:00:00Z", "time_zone": "America/New_York"},
            {"time_zone": "America/New_York"},
        ),
        ({"tags": [" Home ", "work", "HOME", "hOmE"]}, {"tags": ["Home", "work"]}),
        ({"start_at": "2026-05-01T10:00:00+02:00"}, {"start_at": "2026-05-01T08:00:00Z"}),
        (
            {"reminders": ["P1W", "P7D", "PT24H", "PT90M", "P1DT60M", "PT0M", "P366D"]},
            {"reminders": ["P7D", "P1D", "PT1H30M", "P1DT1H", "PT0M", "P366D"]},
        ),
        (
            {"reminders": ["2026-05-01T10:00:00+02:00", "2026-05-01T08:00:00.000Z"]},
            {"reminders": ["2026-05-01T08:00:00Z"]},
        ),
        ({"tags": ["t" * 50] + [str(n) for n in range(19)]}, {}),
    ],
)
async def test_what_a_task_may_be(
    alice: AsyncClient, given: dict[str, Any], kept: dict[str, Any]
) -> None:
    created = await alice.post(TASKS, json={"title": "x", **given})

    assert created.status_code == 201, created.text
    task = (await alice.get(created.headers["location"])).json()
    assert task == created.json()
    assert {name: task[name] for name in kept} == kept


@pytest.mark.spec("TASK-2", "TASK-3", "TASK-4", "TASK-5", "TASK-6", "TASK-25", "ERR-2")
@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        ({"title": ""}, "#/title"),
        ({"title": " \t\u00a0"}, "#/title"),
        ({"title": "x" * 201}, "#/title"),
        ({"title": 1}, "#/title"),
        ({"title": None}, "#/title"),
        ({"description": "d" * 10_001}, "#/description"),
        ({"completed": "yes"}, "#/completed"),
        ({"completed": 1}, "#/completed"),
        ({"priority": "highest"}, "#/priority"),
        ({"priority": 1}, "#/priority"),
        ({"due_on": "2026-02-30"}, "#/due_on"),
        ({"due_on": "2026-05-01T00:00:00"}, "#/due_on"),
        ({"due_on": 0}, "#/due_on"),
        ({"due_at": "2026-05-01T10:00:00"}, "#/due_at"),
        ({"due_at": "2026-05-01"}, "#/due_at"),
        ({"due_at": 1_700_000_000}, "#/due_at"),
        ({"due_at": "0001-01-01T00:00:00+01:00"}, "#/due_at"),
        ({"due_on": "2026-05-01", "due_at": "2026-05-01T10:00:00Z"}, "#/due_on"),
        ({"time_zone": "Europe/Berlin"}, "#/time_zone"),
        *(
            ({"due_at": "2026-05-01T10:00:00Z", "time_zone": zone}, "#/time_zone")
            for zone in ("Mars/Base", "localtime", "Factory", "posix/Europe/Berlin", "right/UTC")
        ),
        ({"tags": [str(n) for n in range(21)]}, "#/tags"),
        ({"tags": ["t" * 51]}, "#/tags/0"),
        ({"tags": ["ok", "  "]}, "#/tags/1"),
        ({"tags": "home"}, "#/tags"),
        ({"start_at": "2026-05-01"}, "#/start_at"),
        ({"reminders": ["PT30M"] * 11}, "#/reminders"),
        ({"reminders": "PT30M"}, "#/reminders"),
        *[
            ({"reminders": [wrong]}, "#/reminders/0")
            for wrong in (
                *("", "P", "PT", "P1DT", "PT30S", "P1M", "P1W2D", "-PT5M", "P366DT1M", "pt5m"),
                *("2026-05-01", "P9999W", "PT999999M", 30, None),
            )
        ],
        ({"parent_id": "x"}, "#/parent_id"),
        ({"position": "8000000001"}, "#/position"),
        ({"colour": "red"}, "#/colour"),
        ({"id": str(NOBODYS)}, "#/id"),
        ({"version": 1}, "#/version"),
        ({"user_id": "bob"}, "#/user_id"),
        ({"completed_at": None}, "#/completed_at"),
        ({"deleted_at": None}, "#/deleted_at"),
        ({"list_id": 1}, "#/list_id"),
        ({"created_at": "2026-05-01T10:00:00Z"}, "#/created_at"),
    ],
)
async def test_what_a_task_may_not_be(
    alice: AsyncClient, given: dict[str, Any], pointer: str
) -> None:
    response = await alice.post(TASKS, json={"title": "x", **given})

    assert (response.status_code, response.json()["code"]) == (422, "validation_failed")
    assert [error["pointer"] for error in response.json()["errors"]] == [pointer]


@pytest.mark.spec("TASK-6")
@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (rb'{"title": "a\u0000b"}', "#/title"),
        (rb'{"title": "\ud800"}', "#/title"),
        (rb'{"title": "x", "tags": ["\udfff"]}', "#/tags/0"),
        (b'{"title": "x", "\\u0000": 1}', "#"),
        (b'{"title": "x", "a/~": "\\u0000"}', "#/a~1~0"),
        (b'{"title": [[[[[1]]]]]}', "#/title/0/0/0/0"),
        (b"[" * 100_000 + b"]" * 100_000, "#"),
    ],
)
async def test_text_nobody_can_store_and_deep_nesting_are_refused(
    alice: AsyncClient, body: bytes, pointer: str
) -> None:
    response = await alice.post(TASKS, content=body, headers={"Content-Type": "application/json"})

    assert (response.status_code, response.json()["code"]) == (422, "validation_failed")
    assert response.json()["errors"][0]["pointer"] == pointer


@pytest.mark.spec("TASK-6")
async def test_a_paired_surrogate_is_the_character_it_stands_for(alice: AsyncClient) -> None:
    response = await alice.post(
        TASKS,
        content=rb'{"title": "\ud83d\ude00"}',
        headers={"Content-Type": "application/json; charset=utf-8"},
    )

    assert response.json()["title"] == "😀"


@pytest.mark.spec("ERR-3")
@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"title=x",
        b"\xff",
        b'{"title": NaN}',
        b'{"title": -Infinity}',
        '{"title": "x"}'.encode("utf-16"),
        b'{"title": ' + b"9" * 5000 + b"}",
        b"\xef\xbb\xbf{}",
    ],
)
async def test_a_body_that_is_no_json_is_400(alice: AsyncClient, body: bytes) -> None:
    response = await alice.post(TASKS, content=body, headers={"Content-Type": "application/json"})

    assert (response.status_code, response.json()["code"]) == (400, "malformed_json")


@pytest.mark.spec("ERR-3")
@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml", "", None]
)
async def test_a_body_of_another_content_type_is_415(
    alice: AsyncClient, content_type: str | None
) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}

    response = await alice.post(TASKS, content=b'{"title": "x"}', headers=headers)

    assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.spec("ERR-2")
async def test_no_body_is_422(alice: AsyncClient) -> None:
    assert (await alice.post(TASKS)).status_code == 422


@pytest.mark.spec("TASK-6", "VIEW-4", "SEARCH-2", "ERR-2")
@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("colour=red", "colour"),
        ("limit=1&limit=2", "limit"),
        ("sort=title&sort=title", "sort"),
        ("completed=true&completed=true", "completed"),
        ("tag=%00", "tag"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=x", "limit"),
        ("completed=1", "completed"),
        ("completed=yes", "completed"),
        ("priority=max", "priority"),
        ("sort=colour", "sort"),
        ("due_before=yesterday", "due_before"),
        ("due_after=2026-05-01T10:00:00", "due_after"),
        ("list_id=x", "list_id"),
        ("parent_id=", "parent_id"),
        ("has_due=yes", "has_due"),
        ("updated_after=now", "updated_after"),
        ("time_zone=UTC", "time_zone"),
        ("sort=relevance", "sort"),
        # Only what is wrong itself.
        ("time_zone=UTC&view=tomorrow", "view"),
        ("sort=relevance&q=", "q"),
    ],
)
async def test_a_wrong_query_names_the_parameter(
    alice: AsyncClient, query: str, parameter: str
) -> None:
    response = await alice.get(f"{TASKS}?{query}")

    assert (response.status_code, response.json()["code"]) == (422, "validation_failed")
    assert [error["parameter"] for error in response.json()["errors"]] == [parameter]


@pytest.mark.spec("TASK-6")
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", TASKS), ("GET", f"{TASKS}/{NOBODYS}"), ("DELETE", f"{TASKS}/{NOBODYS}")],
)
async def test_a_route_without_a_query_takes_none(
    alice: AsyncClient, method: str, path: str
) -> None:
    response = await alice.request(method, f"{path}?a=1")

    assert response.status_code == 422
    assert response.json()["errors"][0]["parameter"] == "a"


@pytest.mark.spec("ERR-4")
@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("DELETE", TASKS, "GET, POST"),
        ("POST", f"{TASKS}/{NOBODYS}", "DELETE, GET, PATCH, PUT"),
        ("GET", f"{TASKS}/{NOBODYS}/complete", "POST"),
        ("PATCH", f"{TASKS}/{NOBODYS}/complete", "POST"),
        ("PURGE", "/api/tasks", "GET, POST"),
        ("PATCH", f"/api/alice/tasks/{NOBODYS}", "DELETE, GET, PUT"),
    ],
)
async def test_405_names_every_method_the_path_takes(
    alice: AsyncClient, method: str, path: str, allow: str
) -> None:
    response = await alice.request(method, path)

    assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")
    assert response.headers["allow"] == allow


@pytest.mark.spec("PH2-8")
async def test_a_trailing_slash_makes_no_difference(alice: AsyncClient) -> None:
    created = await alice.post(f"{TASKS}/", json={"title": "x"})

    assert created.status_code == 201
    assert (await alice.get(f"{TASKS}/{created.json()['id']}/")).json() == created.json()
    assert (await alice.get("/api/tasks/")).status_code == 200


@pytest.mark.spec("ERR-4")
async def test_an_unknown_address_is_404(alice: AsyncClient) -> None:
    response = await alice.get("/api/v1/nothing")

    assert (response.status_code, response.json()["code"]) == (404, "not_found")


async def test_an_id_that_is_no_uuid_is_422(alice: AsyncClient) -> None:
    response = await alice.get(f"{TASKS}/7")

    assert response.json()["errors"][0]["parameter"] == "task_id"


@pytest.mark.spec("ERR-4")
async def test_an_address_that_is_no_task_refuses_the_methods_of_one(alice: AsyncClient) -> None:
    response = await alice.delete("/api/v1/trash/lists")

    assert (response.status_code, response.headers["allow"]) == (405, "GET")
