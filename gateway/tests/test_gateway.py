"""What goes where, under which id, and what every error looks like."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

import pytest
from starlette.responses import Response

from devkit.declared import Declared
from gateway_service.forwarding import Forwarder

if TYPE_CHECKING:
    from gateway.tests.conftest import EchoUpstream, Gateway, MakeGateway

TASKS, IMPORT = "/api/v1/tasks", "/api/v1/import"


@pytest.mark.spec("GW-5")
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_everything_else_under_api_goes_to_the_tasks_service_as_it_is(
    gateway: "Gateway", upstream: "EchoUpstream", token: str, method: str
) -> None:
    target = "/api/v1/t%20asks/%C3%A9?q=a%20b&q=c"
    headers = {"Authorization": f"Bearer {token}"}

    response = await gateway.client.request(method, target, headers=headers, content=b'{"a": 1}')

    request = upstream.requests[-1]
    assert response.status_code == 200
    assert (request["method"], request["body"]) == (method, '{"a": 1}')
    assert f"{request['target']}?{request['query']}" == target


@pytest.mark.spec("GW-12")
async def test_a_tasks_service_that_is_down_is_unavailable(
    gateway: "Gateway", upstream: "EchoUpstream", token: str
) -> None:
    await upstream.stop()

    response = await gateway.get(TASKS, token)

    assert (response.status_code, response.json()["code"]) == (503, "upstream_unavailable")
    assert response.headers["retry-after"] == "1"


@pytest.mark.spec("GW-13")
async def test_a_body_over_1_mib_is_too_large(
    gateway: "Gateway", upstream: "EchoUpstream", token: str
) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    sizes = (1024 * 1024, 1024 * 1024 + 1)

    responses = [
        await gateway.client.post(TASKS, headers=headers, content=b"a" * size) for size in sizes
    ]

    assert [response.status_code for response in responses] == [200, 413]
    assert responses[1].json()["code"] == "body_too_large"
    assert len(upstream.requests) == 1


@pytest.mark.spec("GW-13", "DATA-14")
@pytest.mark.parametrize("path", [IMPORT, f"{IMPORT}/"])
@pytest.mark.parametrize("chunked", [True, False])
async def test_an_import_may_have_10_mib(
    gateway: "Gateway", upstream: "EchoUpstream", token: str, path: str, chunked: bool
) -> None:
    async def pieces(size: int) -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b"a" * (1024 * 1024)
        yield b"a" * (size - 10 * 1024 * 1024)

    upstream.answer = Response("taken")
    headers = {"Authorization": f"Bearer {token}"}
    sizes = (10 * 1024 * 1024, 10 * 1024 * 1024 + 1)

    responses = [
        await gateway.client.post(
            path, headers=headers, content=pieces(size) if chunked else b"a" * size
        )
        for size in sizes
    ]

    assert [response.status_code for response in responses] == [200, 413]
    assert len(upstream.requests[0]["body"]) == sizes[0]


@pytest.mark.spec("GW-13", "ERR-9")
async def test_a_client_that_stops_sending_is_told(
    make_gateway: "MakeGateway", token: str, declared: Declared
) -> None:
    gateway = await make_gateway(upstream_request_body=0.01)
    # By hand: an HTTP client would wait for itself.
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    head = f"POST {TASKS} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n"

    writer.write(f"{head}connection: close\r\ncontent-length: 2\r\n\r\n{{".encode())
    async with asyncio.timeout(10):
        _, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()

    problem = json.loads(body)
    assert (problem["status"], problem["code"]) == (408, "request_timeout")
    assert declared.objection("POST", TASKS, 408, "request_timeout") is None


@pytest.mark.spec("GW-14")
@pytest.mark.parametrize("path", [TASKS, "/api/v1/me", "/docs", "/nowhere"])
async def test_a_sane_request_id_is_kept_everywhere(
    gateway: "Gateway", token: str, path: str
) -> None:
    request_id = "aZ0._:-" + "x" * 121

    response = await gateway.get(path, token, headers={"X-Request-Id": request_id})

    assert response.headers.get_list("x-request-id") == [request_id]
    if response.status_code == 404:
        assert response.json()["request_id"] == request_id


@pytest.mark.spec("GW-14")
@pytest.mark.parametrize("request_id", ["", "a b", "x" * 129, "é", "a/b"])
async def test_any_other_request_id_is_replaced(
    gateway: "Gateway", upstream: "EchoUpstream", token: str, request_id: str
) -> None:
    headers = [
        (b"Authorization", f"Bearer {token}".encode()),
        (b"X-Request-Id", request_id.encode()),
    ]

    response = await gateway.client.get(TASKS, headers=headers)

    made_up = response.headers["x-request-id"]
    assert (len(made_up), made_up.isalnum()) == (32, True)
    assert upstream.header("x-request-id") == [made_up]


@pytest.mark.spec("GW-14")
async def test_a_control_route_answers_under_the_same_id_as_its_problem(gateway: "Gateway") -> None:
    response = await gateway.get("/nowhere")

    assert response.headers.get_list("x-request-id") == [response.json()["request_id"]]


@pytest.mark.spec("GW-18")
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/api",
        "/apix/v1/tasks",
        "//api/v1/tasks",
        "/API/v1/tasks",
        "/internal/v1/verify",
        "/metrics",
        "/docs/",
        "/redoc",
        "/docs/assets/__init__.py",
        "/docs/assets/../router.py",
        "/api/..%2Freadyz",
        "/api/%2e%2e/openapi.json",
        "/api/v1/../../readyz",
        "/api/./v1/tasks",
        "/api/..",
    ],
)
async def test_nothing_else_can_be_reached(
    gateway: "Gateway", upstream: "EchoUpstream", token: str, path: str
) -> None:
    # By hand: an HTTP client would tidy the path up first.
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    head = f"GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n"

    writer.write(f"{head}connection: close\r\n\r\n".encode())
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()

    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b'"code": "not_found"' in answer
    assert upstream.requests == []


async def test_a_name_that_begins_with_a_dot_is_no_way_out(
    gateway: "Gateway", upstream: "EchoUpstream", token: str
) -> None:
    response = await gateway.get("/api/.well-known/...x", token)

    assert response.status_code == 200
    assert upstream.requests[-1]["target"] == "/api/.well-known/...x"


async def test_a_method_that_me_does_not_take_is_named(gateway: "Gateway", token: str) -> None:
    response = await gateway.client.post("/api/v1/me", headers={"Authorization": f"Bearer {token}"})

    assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")
    assert response.headers["allow"] == "GET"


@pytest.mark.spec("ERR-1")
async def test_an_error_is_a_problem_that_leads_to_its_explanation(
    make_gateway: "MakeGateway",
) -> None:
    gateway = await make_gateway(public_url="https://tasks.example.com")

    response = await gateway.get(TASKS)

    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    assert response.json() == {
        "type": "https://tasks.example.com/docs/errors#token_missing",
        "title": "Token missing",
        "status": 401,
        "detail": "Send your access token (a JWT) in the header `Authorization: Bearer <token>`.",
        "code": "token_missing",
        "request_id": response.headers["x-request-id"],
    }


@pytest.mark.spec("ERR-5", "GW-15")
async def test_a_crash_is_a_problem_that_shows_nothing_and_that_pages_can_read(
    gateway: "Gateway",
    make_token: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def crash(*_: object) -> None:
        raise RuntimeError("inside out")

    monkeypatch.setattr(Forwarder, "forward", crash)

    response = await gateway.get(TASKS, make_token(), headers={"Origin": "https://app.example.com"})

    assert (response.status_code, response.json()["code"]) == (500, "internal_error")
    assert response.json()["request_id"] == response.headers["x-request-id"]
    assert "inside out" not in response.text
    assert response.headers["access-control-allow-origin"] == "https://app.example.com"
