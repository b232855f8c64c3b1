"""Requests that are too large, malformed or meaningless, through the whole system."""

import asyncio
import json
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
from httpx import AsyncClient

from devkit.declared import Declared
from devkit.stack import Stack

TASKS = "/api/v1/tasks"
JSON = "application/json"
LIMIT = 1024 * 1024
PIECE = b" " * (64 * 1024)


async def _pieces(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // len(PIECE)):
        yield PIECE


@pytest.mark.spec("TASK-2", "TASK-6", "ERR-2", "ERR-3")
@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (b'{"title": 1}', JSON, 422, "validation_failed"),
        (b'{"title": null}', JSON, 422, "validation_failed"),
        (b'{"title": "  "}', JSON, 422, "validation_failed"),
        (b'{"title": "x", "completed": "yes"}', JSON, 422, "validation_failed"),
        (b'{"title": "x", "colour": "red"}', JSON, 422, "validation_failed"),
        (b'{"title": "x", "user_id": "bob"}', JSON, 422, "validation_failed"),
        (b'{"title": "x", "version": 1}', JSON, 422, "validation_failed"),
        (b'{"title": "a\\u0000b"}', JSON, 422, "validation_failed"),
        (b'{"title": "a\\ud800b"}', JSON, 422, "validation_failed"),
        (b'{"title": "x", "tags": ["a\\u0000"]}', JSON, 422, "validation_failed"),
        (b"[]", JSON, 422, "validation_failed"),
        (b"null", JSON, 422, "validation_failed"),
        (b'{"title": "x"', JSON, 400, "malformed_json"),
        (b'{"title": "x"} {}', JSON, 400, "malformed_json"),
        (b'{"title": "\xff"}', JSON, 400, "malformed_json"),
        (b"title=x", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        (b'{"title": "x"}', "text/plain", 415, "unsupported_media_type"),
    ],
)
async def test_a_bad_body_is_refused_and_creates_nothing(
    alice: AsyncClient, body: bytes, kind: str, status: int, code: str
) -> None:
    answer = await alice.post(TASKS, content=body, headers={"Content-Type": kind})

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert (await alice.get(TASKS)).json()["items"] == []


@pytest.mark.spec("TASK-6", "TASK-20", "ERR-2")
@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("limit=0", 422, "validation_failed"),
        ("limit=201", 422, "validation_failed"),
        ("limit=1&limit=2", 422, "validation_failed"),
        ("sort=colour", 422, "validation_failed"),
        ("colour=red", 422, "validation_failed"),
        ("cursor=junk", 400, "invalid_cursor"),
    ],
)
async def test_a_bad_query_is_refused(
    alice: AsyncClient, query: str, status: int, code: str
) -> None:
    answer = await alice.get(f"{TASKS}?{query}")

    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.spec("ERR-4")
@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/v1/nothing", 404, "not_found"),
        ("GET", "/api/", 404, "not_found"),
        ("PUT", TASKS, 405, "method_not_allowed"),
        ("DELETE", "/api/v1/me", 405, "method_not_allowed"),
        ("GET", f"{TASKS}/1", 422, "validation_failed"),
    ],
)
async def test_a_bad_address_is_refused(
    alice: AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    answer = await alice.request(method, path)

    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.spec("GW-13")
async def test_a_body_of_exactly_one_mebibyte_passes(alice: AsyncClient) -> None:
    body = json.dumps({"title": "x"}).encode().ljust(LIMIT)

    answer = await alice.post(TASKS, content=body, headers={"Content-Type": JSON})

    assert answer.status_code == 201


@pytest.mark.spec("GW-13")
async def test_a_body_declared_too_large_is_refused(alice: AsyncClient) -> None:
    body = json.dumps({"title": "x"}).encode().ljust(LIMIT + 1)

    answer = await alice.post(TASKS, content=body, headers={"Content-Type": JSON})

    assert answer.status_code == 413
    assert answer.json()["code"] == "body_too_large"


@pytest.mark.spec("GW-13")
async def test_a_chunked_body_that_grows_too_large_is_refused(alice: AsyncClient) -> None:
    body = _pieces(8 * LIMIT)

    answer = await alice.post(TASKS, content=body, headers={"Content-Type": JSON})

    assert answer.status_code == 413
    assert answer.json()["code"] == "body_too_large"


@pytest.mark.spec("EDGE-6")
async def test_no_service_takes_a_head_without_bounds(stack: Stack, anonymous: AsyncClient) -> None:
    for url in (stack.url, stack.tasks_url, stack.verifier_url):
        response = await anonymous.get(f"{url}/healthz", params={"q": "x" * 9000})

        assert (response.status_code, response.json()["code"]) == (414, "target_too_long")


@pytest.mark.spec("EDGE-4", "ERR-7", "ERR-9", "GW-22")
@pytest.mark.parametrize(
    ("query", "fields", "status", "code"),
    [
        ("", "", 400, "malformed_request"),
        ("?q=" + "x" * 9000, "Host: x\r\n", 414, "target_too_long"),
        ("", f"Host: x\r\nX: {'x' * 33_000}\r\n", 431, "headers_too_large"),
    ],
    ids=lambda one: one[:20] if isinstance(one, str) else None,
)
async def test_what_the_edge_refuses_the_operation_declares(
    stack: Stack, declared: Declared, query: str, fields: str, status: int, code: str
) -> None:
    # By hand: an HTTP client would not send it so.
    address = urlsplit(stack.url)
    async with asyncio.timeout(30):
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(f"GET {TASKS}{query} HTTP/1.1\r\n{fields}\r\n".encode())
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()

    problem = json.loads(body)

    assert (problem["status"], problem["code"]) == (status, code)
    headers = {line.partition(":")[0].lower() for line in head.decode().splitlines()[1:]}
    assert declared.objection("GET", TASKS, status, code, headers) is None
