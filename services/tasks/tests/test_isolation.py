import secrets
import time
from typing import Any
from uuid import uuid4

import pytest
from fastapi import FastAPI
from httpx import AsyncClient, Response

from service_kit.identity import sign_identity

TASKS = "/api/v1/tasks"
Route = tuple[str, str, Any, dict[str, str]]
ROUTES: list[Route] = [
    ("GET", TASKS + "/{id}", None, {}),
    ("GET", TASKS + "/{id}", None, {"If-None-Match": '"1"'}),
    ("PUT", TASKS + "/{id}", {"title": "x"}, {}),
    ("PUT", TASKS + "/{id}", {"title": "x"}, {"If-Match": '"1"'}),
    ("PUT", TASKS + "/{id}", {"title": "x"}, {"If-Match": "*"}),
    ("PATCH", TASKS + "/{id}", {"title": "x"}, {}),
    ("PATCH", TASKS + "/{id}", {"title": "x"}, {"If-Match": '"1"'}),
    ("DELETE", TASKS + "/{id}", None, {}),
    ("DELETE", TASKS + "/{id}", None, {"If-Match": "*"}),
    ("POST", TASKS + "/{id}", {"title": "x"}, {}),
    ("POST", TASKS + "/{id}/complete", None, {}),
    ("POST", TASKS + "/{id}/reopen", None, {}),
    ("POST", TASKS + "/{id}/skip", None, {}),
    ("POST", TASKS + "/{id}/skip", None, {"If-Match": '"1"'}),
    ("GET", TASKS + "/{id}/completions", None, {}),
    ("POST", TASKS + "/{id}/move", {}, {}),
    ("POST", TASKS + "/{id}/move", {"list_id": None}, {"If-Match": '"1"'}),
    ("POST", TASKS + "/{id}/restore", None, {}),
    ("DELETE", "/api/v1/trash/{id}", None, {}),
    ("GET", "/api/tasks/{id}", None, {}),
    ("PUT", "/api/tasks/{id}", {"title": "x"}, {}),
    ("DELETE", "/api/tasks/{id}", None, {}),
    ("PATCH", "/api/tasks/{id}/complete", None, {}),
    ("PATCH", "/api/tasks/{id}/complete", {"completed": True}, {}),
    ("GET", "/api/{user}/tasks/{id}", None, {}),
    ("PUT", "/api/{user}/tasks/{id}", {"title": "x"}, {}),
    ("DELETE", "/api/{user}/tasks/{id}", None, {}),
    ("PATCH", "/api/{user}/tasks/{id}/complete", None, {}),
]


def seen(response: Response) -> Any:
    """Everything an answer shows, the request id apart."""
    request_id = response.headers["x-request-id"]
    headers = {name: value for name, value in response.headers.items() if name != "x-request-id"}
    return response.status_code, headers, response.text.replace(request_id, "")


@pytest.mark.spec("TASK-7", "PH2-6")
@pytest.mark.parametrize("route", ROUTES)
async def test_another_users_task_is_byte_for_byte_one_that_never_existed(
    alice: AsyncClient, mallory: AsyncClient, route: Route
) -> None:
    method, path, body, headers = route
    task = (await alice.post(TASKS, json={"title": "secret"})).json()

    async def ask(task_id: object) -> Response:
        url = path.format(id=task_id, user=mallory.headers["x-user-id"])
        return await mallory.request(method, url, json=body, headers=headers)

    theirs, nobodys = await ask(task["id"]), await ask(uuid4())

    assert seen(theirs) == seen(nobodys)
    assert theirs.status_code in {404, 405, 428}
    assert (await alice.get(f"{TASKS}/{task['id']}")).json() == task


@pytest.mark.spec("TASK-7")
async def test_a_client_made_id_that_another_user_has_is_free_for_everyone(
    alice: AsyncClient, mallory: AsyncClient
) -> None:
    task = (await alice.post(TASKS, json={"title": "mine"})).json()
    url = f"{TASKS}/{task['id']}"

    response = await mallory.put(url, json={"title": "theirs"}, headers={"If-None-Match": "*"})

    assert response.status_code == 201
    assert (await alice.get(url)).json() == task
    assert (await mallory.get(url)).json()["title"] == "theirs"


ALL = [*ROUTES, ("GET", TASKS, None, {}), ("POST", "/api/tasks", {"title": "x"}, {})]


@pytest.mark.spec("GW-3", "PH2-7")
@pytest.mark.parametrize(
    ("method", "path", "body", "headers"), [r for r in ALL if r[:2] != ("POST", TASKS + "/{id}")]
)
async def test_no_route_answers_without_a_signed_identity(
    anonymous: AsyncClient, method: str, path: str, body: Any, headers: dict[str, str]
) -> None:
    url = path.format(id=uuid4(), user="alice")

    response = await anonymous.request(
        method, url, json=body, headers={**headers, "X-User-Id": "alice"}
    )

    assert (response.status_code, response.json()["code"]) == (401, "identity_invalid")
    assert response.headers["www-authenticate"]


@pytest.mark.spec("GW-3")
async def test_a_forged_identity_is_refused_before_anything_is_read(
    anonymous: AsyncClient, settings: Any
) -> None:
    key, soon = settings.identity_keys[0], int(time.time()) + 60
    forged = [
        sign_identity("a", key=secrets.token_bytes(32), audience="tasks", expires_at=soon),
        sign_identity("a", key=key, audience="gateway", expires_at=soon),
        sign_identity("a", key=key, audience="tasks", expires_at=soon - 61),
        sign_identity("a", key=key, audience="tasks", expires_at=soon) | {"x-user-id": "b"},
    ]

    answers = [await anonymous.post(TASKS, content=b"{", headers=headers) for headers in forged]

    assert {a.json()["code"] for a in answers} == {"identity_invalid"}


async def test_every_route_under_api_is_in_the_table(app: FastAPI) -> None:
    paths = app.openapi()["paths"]
    declared = {(m.upper(), path) for path, ms in paths.items() for m in ms if "task_id" in path}

    named = {
        (method, path.format(id="{task_id}", user="{user_id}")) for method, path, _, _ in ROUTES
    }

    assert declared == named - {("POST", TASKS + "/{task_id}")}
