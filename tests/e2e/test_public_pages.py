"""What surrounds the API: documentation, CORS and request ids, as a browser meets them."""

import re
from uuid import uuid4

import pytest
from httpx import AsyncClient

from devkit.stack import Stack

TASKS = "/api/v1/tasks"


@pytest.mark.spec("GW-16")
async def test_the_documentation_needs_nothing_from_elsewhere(anonymous: AsyncClient) -> None:
    page = await anonymous.get("/docs")
    files = re.findall(r'(?:src|href)="([^"#]+)"', page.text)
    answers = [await anonymous.get(str(page.url.join(file))) for file in files]

    assert page.status_code == 200
    kinds = {answer.headers["content-type"].partition(";")[0] for answer in answers}
    assert {"text/javascript", "text/css"} <= kinds
    assert {answer.url.host for answer in answers} == {page.url.host}
    assert {answer.status_code for answer in answers} == {200}


@pytest.mark.spec("GW-17", "ERR-1")
async def test_the_type_of_a_problem_leads_to_its_explanation(
    anonymous: AsyncClient, stack: Stack
) -> None:
    address = (await anonymous.get(TASKS)).json()["type"]

    page = await anonymous.get(address)

    assert address.startswith(stack.url)
    assert page.status_code == 200
    assert f'id="{address.partition("#")[2]}"' in page.text


@pytest.mark.spec("GW-19")
@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_a_whole_system_is_healthy_and_ready(anonymous: AsyncClient, path: str) -> None:
    answer = await anonymous.get(path)

    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"


@pytest.mark.spec("GW-14")
@pytest.mark.parametrize("path", [TASKS, "/api/v1/me", "/docs", "/nothing"])
async def test_a_sane_request_id_comes_back(alice: AsyncClient, path: str) -> None:
    answer = await alice.get(path, headers={"X-Request-Id": "checkout:42"})

    assert answer.headers["x-request-id"] == "checkout:42"


@pytest.mark.spec("GW-14")
@pytest.mark.parametrize("offered", ["", "x" * 129, "a b", 'a"b', "a{b}"])
async def test_an_insane_request_id_is_replaced(alice: AsyncClient, offered: str) -> None:
    answer = await alice.get(TASKS, headers={"X-Request-Id": offered})

    assert re.fullmatch(r"[A-Za-z0-9._:-]{1,128}", answer.headers["x-request-id"])
    assert answer.headers["x-request-id"] != offered


@pytest.mark.spec("GW-2", "GW-14")
async def test_the_tasks_service_knows_a_request_by_the_same_id(alice: AsyncClient) -> None:
    answer = await alice.get(f"{TASKS}/{uuid4()}", headers={"X-Request-Id": "checkout:42"})

    # This body is its own, not the gateway's.
    assert answer.json()["code"] == "task_not_found"
    assert answer.json()["request_id"] == "checkout:42"


@pytest.mark.spec("GW-15")
async def test_a_preflight_of_the_frontend_is_answered_without_a_token(
    anonymous: AsyncClient, frontend: str
) -> None:
    asked = {
        "Origin": frontend,
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "authorization, content-type, if-match",
    }

    answer = await anonymous.options(f"{TASKS}/1", headers=asked)

    assert answer.status_code in {200, 204}
    assert answer.headers["access-control-allow-origin"] == frontend
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert "PATCH" in answer.headers["access-control-allow-methods"]
    allowed = answer.headers["access-control-allow-headers"].lower()
    assert all(name in allowed for name in ("authorization", "content-type", "if-match"))


@pytest.mark.spec("GW-15")
@pytest.mark.parametrize("path", [TASKS, "/api/v1/me", "/api/v1/nothing"])
@pytest.mark.parametrize("signed_in", [True, False])
async def test_the_frontend_may_read_every_answer_errors_included(
    alice: AsyncClient, anonymous: AsyncClient, frontend: str, path: str, signed_in: bool
) -> None:
    client = alice if signed_in else anonymous

    answer = await client.get(path, headers={"Origin": frontend})

    assert answer.headers.get_list("access-control-allow-origin") == [frontend]
    assert answer.headers["access-control-allow-credentials"] == "true"
    exposed = answer.headers["access-control-expose-headers"].lower()
    assert all(name in exposed for name in ("etag", "location", "retry-after", "x-request-id"))
    assert "origin" in answer.headers["vary"].lower()


@pytest.mark.spec("GW-15")
@pytest.mark.parametrize("origin", ["https://evil.test", "https://app.test.evil.test", "null"])
async def test_another_origin_may_read_nothing(alice: AsyncClient, origin: str) -> None:
    answer = await alice.get(TASKS, headers={"Origin": origin})

    assert "access-control-allow-origin" not in answer.headers
