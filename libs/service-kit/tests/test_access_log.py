"""The line of a request: what is in it, and what never is."""

import json
import os
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import Request, Response
from httpx import ASGITransport, AsyncClient

from service_kit.access_log import AccessLog
from service_kit.api import ServiceApi
from service_kit.observed import record_of

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
USER = 'ada "\n\\ \u2028 Lovelace'


class Lines:
    """A log that a test can read."""

    def __init__(self) -> None:
        self._reading, writing = os.pipe()
        os.set_blocking(self._reading, False)
        self.log = AccessLog("kettle", descriptor=writing)

    def read(self) -> list[dict[str, Any]]:
        self.log.flush()
        try:
            text = os.read(self._reading, 1_000_000).decode()
        except BlockingIOError:
            return []
        return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def lines(api: ServiceApi) -> Lines:
    lines = Lines()
    api.observers = [lines.log]

    @api.post("/pots/{pot}")
    async def fill_pot(pot: str, request: Request) -> Response:
        record_of(request.scope).user_id = USER
        return Response(pot.encode() + await request.body())

    return lines


@pytest.fixture
async def client(api: ServiceApi) -> AsyncIterator[AsyncClient]:
    transport = ASGITransport(api, raise_app_exceptions=False, client=("198.51.100.7", 1234))
    async with AsyncClient(transport=transport, base_url="http://kettle") as client:
        yield client


@pytest.mark.spec("OBS-7", "OBS-8")
async def test_a_line_tells_of_a_request_and_of_nothing_secret(
    lines: Lines, client: AsyncClient
) -> None:
    secret = {"Authorization": "Bearer hidden-token", "Cookie": "hidden=cookie"}
    trace = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01", "X-Request-Id": "mine"}

    await client.post("/pots/hidden?q=hidden", content=b"water", headers={**secret, **trace})

    (line,) = lines.read()
    times = [line.pop(name) for name in ("timestamp", "total_ms", "waited_ms")]
    assert times[1] >= times[2] > 0
    assert times[0].endswith("Z")
    assert line == {
        "event": "request",
        "service": "kettle",
        "level": "info",
        "request_id": "mine",
        "trace_id": TRACE,
        "user_id": USER,
        "method": "POST",
        "route": "/pots/{pot}",
        "status": 200,
        "outcome": "answered",
        "auth_ms": None,
        "upstream_ms": None,
        "verdict": None,
        "bytes_in": 5,
        "bytes_out": 11,
        "client": "198.51.100.7",
    }


@pytest.mark.spec("OBS-7")
async def test_only_failing_questions_for_health_leave_a_line(
    lines: Lines, client: AsyncClient
) -> None:
    for path in ("/healthz", "/readyz", "/healthz/"):
        await client.get(path)

    assert [line["status"] for line in lines.read()] == [404]


@pytest.mark.spec("OBS-9")
async def test_a_request_that_breaks_has_its_line(lines: Lines, client: AsyncClient) -> None:
    await client.get("/broken")

    (line,) = lines.read()
    assert (line["status"], line["outcome"], line["route"]) == (500, "failed", "/broken")


@pytest.mark.spec("OBS-7")
async def test_lines_are_written_whole_however_many_there_are(
    lines: Lines, client: AsyncClient
) -> None:
    for number in range(40):
        await client.get("/teapot", headers={"X-Request-Id": f"{number}-{'x' * 100}"})

    ids = [line["request_id"].partition("-")[0] for line in lines.read()]
    assert ids == [str(number) for number in range(40)]


@pytest.mark.spec("OBS-7")
async def test_a_log_that_nobody_reads_fails_no_request(
    api: ServiceApi, client: AsyncClient
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    log = AccessLog("kettle", descriptor=writing)
    api.observers = [log]

    answer = await client.get("/teapot")
    log.flush()

    assert answer.status_code == 418


@pytest.mark.spec("OBS-9")
async def test_a_client_that_leaves_before_its_body_ends_is_nobodys_failure(
    api: ServiceApi, lines: Lines, caplog: pytest.LogCaptureFixture
) -> None:
    @api.post("/read")
    async def read(request: Request) -> Response:
        return Response(await request.body())

    messages = iter([{"type": "http.request", "body": b"12", "more_body": True}])
    sent: list[Any] = []

    async def receive() -> Any:
        return next(messages, {"type": "http.disconnect"})

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"content-length", b"5")]
    scope = {"type": "http", "method": "POST", "path": "/read", "query_string": b""}
    await api({**scope, "headers": headers}, receive, send)

    (line,) = lines.read()
    assert (line["status"], line["outcome"], line["bytes_in"]) == (None, "client_gone", 2)
    assert (sent, caplog.records) == ([], [])
