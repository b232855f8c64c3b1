"""The lines of requests that end in the middle, and of none."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from starlette.responses import StreamingResponse

if TYPE_CHECKING:
    from gateway.tests.conftest import EchoUpstream, FakeVerifier, MakeGateway

LIMIT = 20


class Lines:
    """What the process writes to its standard output."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture

    async def next(self) -> dict[str, Any]:
        """Return the next line of a request, once it is written."""
        async with asyncio.timeout(LIMIT):
            while True:
                for line in self._capture.readouterr().out.splitlines():
                    if '"event":"request"' in line:
                        found: dict[str, Any] = json.loads(line)
                        return found
                await asyncio.sleep(0.02)


@pytest.fixture
def lines(capfd: pytest.CaptureFixture[str]) -> Lines:
    return Lines(capfd)


@pytest.mark.spec("OBS-9")
async def test_an_answer_that_the_service_behind_broke_off_is_told_as_such(
    make_gateway: "MakeGateway", upstream: "EchoUpstream", lines: Lines, token: str
) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"half"
        raise ConnectionError

    gateway = await make_gateway()
    upstream.answer = StreamingResponse(broken())

    with pytest.raises(httpx.RemoteProtocolError):
        await gateway.get("/api/v1/tasks", token)

    line = await lines.next()
    assert (line["status"], line["outcome"], line["bytes_out"]) == (200, "cut_short", 4)


@pytest.mark.spec("OBS-9", "GW-11")
async def test_a_client_that_went_is_told_as_such(
    make_gateway: "MakeGateway", verifier: "FakeVerifier", lines: Lines, token: str
) -> None:
    gateway = await make_gateway()
    verifier.may_answer.clear()

    _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    head = f"POST /api/v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n{bearer(token)}"
    writer.write(f"{head}\r\n\r\n12".encode())
    await verifier.was_asked.wait()
    writer.transport.abort()
    verifier.may_answer.set()

    line = await lines.next()
    assert (line["status"], line["outcome"], line["bytes_out"]) == (None, "client_gone", 0)


@pytest.mark.spec("OBS-9")
async def test_a_service_behind_that_is_away_is_an_answer(
    make_gateway: "MakeGateway", upstream: "EchoUpstream", lines: Lines, token: str
) -> None:
    gateway = await make_gateway()
    await upstream.stop()

    await gateway.get("/api/v1/tasks", token)

    line = await lines.next()
    assert (line["status"], line["outcome"], line["route"]) == (503, "answered", "/api/{path}")
    assert line["verdict"] == "verifier"


@pytest.mark.spec("OBS-7")
async def test_told_not_to_it_writes_no_line(
    make_gateway: "MakeGateway", capfd: pytest.CaptureFixture[str], token: str
) -> None:
    gateway = await make_gateway(access_log=False)

    await gateway.me(token)
    await gateway.stop()

    # Other services of the same process may still be writing theirs.
    assert '"event":"request","service":"gateway"' not in capfd.readouterr().out


@pytest.mark.spec("OBS-7")
async def test_the_last_line_is_written_before_the_process_ends(
    make_gateway: "MakeGateway", capfd: pytest.CaptureFixture[str], token: str
) -> None:
    gateway = await make_gateway()

    await gateway.me(token)
    await gateway.stop()

    assert '"route":"/api/v1/me"' in capfd.readouterr().out


@pytest.mark.spec("OBS-7", "AUTH-50")
async def test_the_client_is_the_one_that_trusted_proxies_name(
    make_gateway: "MakeGateway", lines: Lines, token: str
) -> None:
    gateway = await make_gateway(trusted_proxies="127.0.0.1")

    await gateway.get("/api/v1/me", token, headers={"X-Forwarded-For": "8.8.8.8, 198.51.100.9"})

    assert (await lines.next())["client"] == "198.51.100.9"


@pytest.mark.spec("OBS-10")
async def test_a_malformed_trace_is_made_anew_and_its_state_dropped(
    make_gateway: "MakeGateway", upstream: "EchoUpstream", token: str
) -> None:
    gateway = await make_gateway()
    good = f"00-{'a' * 32}-{'b' * 16}-01"

    await gateway.get("/api/v1/tasks", token, headers={"traceparent": good, "tracestate": "v=1"})
    passed = upstream.header("traceparent"), upstream.header("tracestate")
    await gateway.get("/api/v1/tasks", token, headers={"traceparent": "x", "tracestate": "v=1"})
    (made,) = upstream.header("traceparent")

    assert passed == ([good], ["v=1"])
    assert len(made) == len(good)
    assert made != good
    assert upstream.header("tracestate") == []


def bearer(token: str) -> str:
    return f"Authorization: Bearer {token}"
