"""Somebody else's task cannot be told from one that never existed."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import pytest
from httpx import AsyncClient, Response

V1, SHORT, LONG = "/api/v1/tasks/{task}", "/api/tasks/{task}", "/api/{user}/tasks/{task}"
CHANGE = {"title": "Mine now"}
# Method, path, and what comes with it: every way to address one task.
ROUTES: list[tuple[str, str, Mapping[str, Any]]] = [
    ("GET", V1, {}),
    ("GET", V1, {"headers": {"If-None-Match": "*"}}),
    ("PATCH", V1, {"json": CHANGE}),
    ("PATCH", V1, {"json": CHANGE, "headers": {"If-Match": "*"}}),
    ("PUT", V1, {"json": CHANGE, "headers": {"If-Match": "*"}}),
    ("DELETE", V1, {}),
    ("DELETE", V1, {"headers": {"If-Match": '"1"'}}),
    ("POST", V1 + "/complete", {}),
    ("POST", V1 + "/reopen", {}),
    ("POST", V1 + "/move", {"json": {}}),
    ("POST", V1 + "/restore", {}),
    ("POST", V1 + "/skip", {}),
    ("GET", V1 + "/completions", {}),
    *[
        (method, form + end, content)
        for form in (SHORT, LONG)
        for method, end, content in (
            ("GET", "", {}),
            ("PUT", "", {"json": CHANGE}),
            ("DELETE", "", {}),
            ("PATCH", "/complete", {}),
        )
    ],
]


def _shown(response: Response) -> tuple[int, bytes, list[tuple[str, str]]]:
    """Return all a client can see of an answer but the time of day, and how long it took."""
    timed = {"date", "server-timing"}
    headers = [(name, value) for name, value in response.headers.items() if name not in timed]
    return response.status_code, response.content, sorted(headers)


@pytest.mark.spec("TASK-7", "PH2-6")
@pytest.mark.parametrize(("method", "path", "content"), ROUTES)
async def test_another_users_task_answers_byte_for_byte_as_an_unknown_one(
    alice: AsyncClient,
    mallory: AsyncClient,
    method: str,
    path: str,
    content: Mapping[str, Any],
) -> None:
    task, mallory_id = uuid4(), (await mallory.get("/api/v1/me")).json()["user_id"]
    address = path.format(task=task, user=mallory_id)
    # The request id is the client's own here, so even that may not differ.
    mallory.headers["X-Request-Id"] = "the-same"

    unknown = await mallory.request(method, address, **content)
    create = {"If-None-Match": "*"}
    created = await alice.put(V1.format(task=task), json={"title": "Hers"}, headers=create)
    foreign = await mallory.request(method, address, **content)

    assert created.status_code == 201
    assert foreign.status_code == 404
    assert foreign.json()["code"] == "task_not_found"
    assert _shown(foreign) == _shown(unknown)
    assert (await alice.get(V1.format(task=task))).json() == created.json()


@pytest.mark.spec("TASK-7")
async def test_the_table_above_knows_every_route_that_addresses_a_task(
    anonymous: AsyncClient,
) -> None:
    document = (await anonymous.get("/openapi.json")).json()

    served = {
        (method.upper(), _shape(path))
        for path, item in document["paths"].items()
        for method in item
        if "tasks/{" in path and method != "parameters"
    }

    assert served == {(method, _shape(path)) for method, path, _ in ROUTES}


def _shape(path: str) -> str:
    return "/".join("{}" if part.startswith("{") else part for part in path.split("/"))


@pytest.mark.spec("TASK-7", "TASK-11")
async def test_two_users_may_use_one_id_without_meeting(
    alice: AsyncClient, mallory: AsyncClient
) -> None:
    address, create = V1.format(task=uuid4()), {"If-None-Match": "*"}
    hers = await alice.put(address, json={"title": "Hers"}, headers=create)

    theirs = await mallory.put(address, json={"title": "Theirs"}, headers=create)

    assert theirs.status_code == 201
    assert (await alice.get(address)).json() == hers.json()
    assert (await mallory.get(address)).json() == theirs.json()
