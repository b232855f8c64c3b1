"""Too much at once, and parts that fail: what is refused, how soon, and what goes on."""

import asyncio
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import pytest
from httpx import Response

from gateway_service import breaker
from gateway_service.breaker import PAUSE_SECONDS, Breaker
from service_kit.fast_refusal import FastRefusal

if TYPE_CHECKING:
    from gateway.tests.conftest import Clock, EchoUpstream, FakeVerifier, Gateway, MakeGateway

TASKS = "/api/v1/tasks"
ME = "/api/v1/me"
REFUSED = f"GET {TASKS} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
ORIGIN = {"Origin": "https://app.example.com"}
IN_A_ROW = 5
Full: TypeAlias = tuple["Gateway", asyncio.Task[Response]]


@pytest.fixture
async def full(make_gateway: "MakeGateway", verifier: "FakeVerifier", token: str) -> Full:
    """Give a gateway with as many requests waiting as it takes, which is one, and that one."""
    gateway = await make_gateway(max_waiting=1)
    verifier.may_answer.clear()
    waiting = asyncio.create_task(gateway.me(token))
    await verifier.was_asked.wait()
    return gateway, waiting


def test_a_part_is_left_alone_after_failures_in_a_row_and_tried_in_each_pause(
    clock: "Clock",
) -> None:
    part = Breaker(clock)
    for _ in range(IN_A_ROW - 1):
        part.failed()
    part.succeeded()
    for _ in range(IN_A_ROW):
        assert part.allows()
        part.failed()

    at_once = part.allows()
    clock.advance(PAUSE_SECONDS)
    tries = [part.allows(), part.allows()]
    part.failed()
    again = part.allows()
    clock.advance(PAUSE_SECONDS)
    part.succeeded()

    assert (at_once, tries, again, part.allows()) == (False, [True, False], False, True)


@pytest.mark.spec("OVER-2")
async def test_tasks_that_fails_is_left_alone_and_found_again(
    gateway: "Gateway", upstream: "EchoUpstream", token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "PAUSE_SECONDS", 3600)
    await upstream.stop()
    for _ in range(IN_A_ROW - 1):
        assert (await gateway.get(TASKS, token)).status_code == 503
    monkeypatch.setattr(breaker, "PAUSE_SECONDS", 0)
    assert (await gateway.get(TASKS, token)).status_code == 503
    monkeypatch.setattr(breaker, "PAUSE_SECONDS", 3600)
    # The one that may try, and fails.
    assert (await gateway.get(TASKS, token)).status_code == 503
    await upstream.start()

    alone = await gateway.get(TASKS, token)

    assert (alone.status_code, alone.json()["code"]) == (503, "upstream_unavailable")
    assert alone.headers["retry-after"] == "1"
    assert upstream.requests == []


@pytest.mark.spec("OVER-2")
async def test_the_first_answer_ends_it(
    gateway: "Gateway", upstream: "EchoUpstream", token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "PAUSE_SECONDS", 0)
    await upstream.stop()
    for _ in range(2 * IN_A_ROW):
        await gateway.get(TASKS, token)
    await upstream.start()

    back = await gateway.get(TASKS, token)
    monkeypatch.setattr(breaker, "PAUSE_SECONDS", 3600)
    after = [await gateway.get(TASKS, token) for _ in range(3)]

    assert [answer.status_code for answer in (back, *after)] == [200] * 4


@pytest.mark.spec("OVER-3")
async def test_a_verifier_that_fails_is_left_alone_and_known_tokens_go_on(
    gateway: "Gateway",
    verifier: "FakeVerifier",
    make_token: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(breaker, "PAUSE_SECONDS", 3600)
    known = make_token()
    await gateway.me(known)
    await verifier.stop()
    failed = [await gateway.me(make_token()) for _ in range(IN_A_ROW)]
    await verifier.start()

    alone, remembered = await gateway.me(make_token()), await gateway.me(known)

    codes = {answer.json()["code"] for answer in (*failed, alone)}
    assert (codes, remembered.status_code) == ({"auth_unavailable"}, 200)
    assert len(verifier.asked) == 1


@pytest.mark.spec("OVER-4")
async def test_one_request_too_many_is_refused_at_once_and_health_never(
    full: Full, verifier: "FakeVerifier", token: str
) -> None:
    gateway, waiting = full

    refused = await gateway.get(TASKS, token, headers=ORIGIN)
    health = await gateway.get("/healthz")
    verifier.may_answer.set()
    served = await waiting
    after = await gateway.me(token)

    assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
    assert refused.headers["retry-after"] == "1"
    assert refused.headers["access-control-allow-origin"] == ORIGIN["Origin"]
    assert [answer.status_code for answer in (health, served, after)] == [200] * 3


@pytest.mark.spec("OVER-5")
async def test_a_gateway_works_on_40_requests_at_once(
    gateway: "Gateway", verifier: "FakeVerifier", make_token: Callable[..., str]
) -> None:
    verifier.may_answer.clear()
    asking = [asyncio.create_task(gateway.me(make_token())) for _ in range(41)]

    done, _ = await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
    verifier.may_answer.set()
    await asyncio.gather(*asking)

    assert [task.result().json()["code"] for task in done] == ["overloaded"]
    assert len(verifier.asked) == 40


@pytest.mark.spec("OVER-6")
async def test_what_is_too_much_gets_the_same_answer_at_the_edge_as_further_in(
    full: Full,
    verifier: "FakeVerifier",
    token: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    gateway, waiting = full
    named = {"X-Request-Id": "mine", **ORIGIN}

    fast = [await gateway.get(TASKS, token, headers=named) for _ in range(2)]
    monkeypatch.setattr(FastRefusal, "applies", lambda _self, _scope: False)
    slow = await gateway.get(TASKS, token, headers=named)
    monkeypatch.undo()
    with_body = await gateway.client.post(TASKS, json={}, headers=named)
    verifier.may_answer.set()
    await waiting
    served = await gateway.get(TASKS, token, headers=named)
    await gateway.stop()

    said = capfd.readouterr().out.splitlines()
    lines = [json.loads(line) for line in said if '"event":"request"' in line]
    lines = [line for line in lines if line["request_id"] == "mine"]
    # No application has begun, so nobody has waited.
    assert {answer.headers["server-timing"] for answer in fast} == {"total;dur=0.00"}
    assert {answer.content for answer in (*fast, with_body)} == {slow.content}
    assert [_fields(answer) for answer in (*fast, with_body)] == [_fields(slow)] * 3
    assert served.status_code == 200
    told = [(line["method"], line["status"], line["outcome"], line["bytes_out"]) for line in lines]
    size = len(slow.content)
    assert told[:4] == [
        *[("GET", 503, "answered", size)] * 3,
        ("POST", 503, "answered", size),
    ]


@pytest.mark.spec("OVER-6")
async def test_requests_in_a_row_are_each_refused_and_the_connection_goes_on(
    full: Full, verifier: "FakeVerifier"
) -> None:
    gateway, waiting = full
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)

    writer.write(REFUSED * 3)
    refused = [await _read(reader) for _ in range(3)]
    verifier.may_answer.set()
    await waiting
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    served = await reader.read()
    writer.close()

    assert [answer[:12] for answer in refused] == [b"HTTP/1.1 503"] * 3
    assert served.startswith(b"HTTP/1.1 200 ")


@pytest.mark.spec("OVER-6")
async def test_of_requests_that_come_at_one_moment_those_too_many_are_refused_at_the_edge(
    make_gateway: "MakeGateway", verifier: "FakeVerifier", token: str
) -> None:
    gateway = await make_gateway(max_waiting=2)
    verifier.may_answer.clear()
    connections = [await _connected(gateway) for _ in range(4)]
    request = f"GET {ME} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode()

    for _, writer in connections:
        writer.write(request)
    refused = [await _read(reader) for reader, _ in connections[2:]]
    verifier.may_answer.set()
    served = [await _read(reader) for reader, _ in connections[:2]]

    assert [answer[9:12] for answer in (*served, *refused)] == [b"200", b"200", b"503", b"503"]
    # Nobody has begun to serve these.
    assert all(b"\r\nserver-timing: total;dur=0.00\r\n" in answer for answer in refused)
    for _, writer in connections:
        writer.close()


@pytest.mark.spec("OVER-6", "EDGE-2")
async def test_a_connection_is_closed_when_nothing_comes_after_a_refusal(full: Full) -> None:
    gateway, waiting = full
    gateway.idle_seconds(0)
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)

    writer.write(REFUSED)
    refused, after = await _read(reader), await reader.read()

    assert (refused[9:12], after) == (b"503", b"")
    writer.close()
    waiting.cancel()


@pytest.mark.spec("OVER-6", "EDGE-2")
async def test_the_time_of_an_idle_connection_begins_anew_with_each_refusal(
    full: Full, verifier: "FakeVerifier"
) -> None:
    gateway, waiting = full
    reader, writer = await _connected(gateway)
    ours = writer.get_extra_info("sockname")
    protocol = next(each for each in gateway.connections() if each.client == ours)

    writer.write(REFUSED)
    await _read(reader)
    protocol.timeout_keep_alive_handler()
    writer.write(REFUSED + REFUSED[:9])
    refused = await _read(reader)
    in_the_middle = protocol.timeout_keep_alive_task
    writer.write(REFUSED[9:])
    again = await _read(reader)

    assert [answer[9:12] for answer in (refused, again)] == [b"503"] * 2
    assert in_the_middle is None
    assert protocol.timeout_keep_alive_task is not None
    verifier.may_answer.set()
    await waiting
    writer.close()


def _fields(answer: Response) -> list[tuple[str, str]]:
    own = ("date", "server-timing")
    return sorted(
        (name, "" if name in own else value) for name, value in answer.headers.multi_items()
    )


async def _connected(gateway: "Gateway") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    await _read(reader)
    return reader, writer


async def _read(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]
    return head + await reader.readexactly(int(length))
