import asyncio
import json
import re
from collections.abc import AsyncIterator

import pytest
from starlette.types import Receive, Scope, Send

from service_kit import edge, edge_head
from service_kit.observed import Observed, Record
from service_kit.refused import Refused
from service_kit.serve import DrainingServer, server

LIMIT = 10
GET = b"GET / HTTP/1.1\r\nHost: edge\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: edge\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


class Seen:
    """Who is told of every request."""

    def __init__(self) -> None:
        self.under_way = 0
        self.records: list[Record] = []

    def begin(self, _record: Record) -> None:
        self.under_way += 1

    def end(self, record: Record, _scope: Scope) -> None:
        self.under_way -= 1
        self.records.append(record)

    async def aclose(self) -> None:
        assert self.under_way == 0


class Site:
    """An app that tells what reached it, on a server of ours."""

    def __init__(self) -> None:
        self.seen = Seen()
        self.server: DrainingServer
        self.serving: asyncio.Task[None]
        self.requests: list[tuple[Scope, bytes]] = []
        self.asked = asyncio.Event()
        self.held = asyncio.Event()
        self.held.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            while (message := await receive())["type"] != "lifespan.shutdown":
                await send({"type": f"{message['type']}.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        self.asked.set()
        await self.held.wait()
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body, more = body + message["body"], message["more_body"]
        self.requests.append((scope, body))
        headers = [(b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"ok"})

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        port = self.server.servers[0].sockets[0].getsockname()[1]
        return await asyncio.open_connection("127.0.0.1", port)

    async def answers(self, *data: bytes) -> list[tuple[int, bytes]]:
        """Send this, and return status and body of all answers until the server hangs up."""
        reader, writer = await self.connect()
        for piece in data:
            writer.write(piece)
            await writer.drain()
        answers = []
        while head := await reader.readline():
            length = 0
            while (line := await reader.readline()) != b"\r\n":
                if match := re.fullmatch(rb"content-length: (\d+)\r\n", line):
                    length = int(match[1])
            answers.append((int(head.split()[1]), await reader.readexactly(length)))
        writer.close()
        return answers

    async def codes(self, *data: bytes) -> list[str]:
        """Do the same, and return the code of each error, or "ok"."""
        answers = await self.answers(*data)
        return ["ok" if status == 200 else json.loads(body)["code"] for status, body in answers]


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    answering = Refused(site, "https://api.example.com")
    app = Observed(answering, [site.seen])
    site.server = server(lambda: app, host="127.0.0.1", port=0)
    site.serving = asyncio.create_task(site.server._serve())
    async with asyncio.timeout(LIMIT):
        while not site.server.started:  # noqa: ASYNC110 - uvicorn has no event for it.
            await asyncio.sleep(0)
        yield site
        site.held.set()
        site.server.should_exit = True
        await site.serving


def closing(request: bytes) -> bytes:
    return request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1)


@pytest.mark.spec("EDGE-1")
@pytest.mark.parametrize("pipelined", [b"", GET])
async def test_a_head_has_room_for_32_kib_and_no_more(site: Site, pipelined: bytes) -> None:
    padding = edge_head.MAX_HEAD_BYTES - len(closing(GET)) - len(b"P: \r\n")
    fits = closing(GET.replace(b"\r\n\r\n", b"\r\nP: " + b"p" * padding + b"\r\n\r\n"))
    too_large = fits.replace(b"pp", b"ppp", 1)

    right = await site.codes(pipelined, fits)
    wrong = await site.codes(pipelined, too_large)

    before = ["ok"] * bool(pipelined)
    assert (right, wrong) == ([*before, "ok"], [*before, "headers_too_large"])


@pytest.mark.spec("EDGE-1")
async def test_headers_are_refused_while_they_still_come(site: Site) -> None:
    endless = b"X: " + b"x" * edge_head.MAX_HEAD_BYTES

    assert await site.codes(GET[:-2] + endless) == ["headers_too_large"]
    assert await site.codes(GET[:-2], *[b"X: x\r\n" * 100] * 100) == ["headers_too_large"]
    assert await site.codes(b"\r\n" * edge_head.MAX_HEAD_BYTES) == ["headers_too_large"]
    assert site.requests == []


@pytest.mark.spec("EDGE-1")
async def test_a_request_may_have_100_headers_and_no_more(site: Site) -> None:
    headers = b"".join(b"X%d: x\r\n" % number for number in range(98))
    fits = closing(GET[:-2] + headers + b"\r\n")

    right = await site.codes(fits)
    wrong = await site.codes(fits.replace(b"\r\n\r\n", b"\r\nMore: x\r\n\r\n", 1))

    assert (right, wrong) == (["ok"], ["headers_too_large"])


@pytest.mark.spec("EDGE-1")
async def test_a_target_may_have_8_kib_and_no_more(site: Site) -> None:
    fits = closing(GET).replace(b"/ ", b"/?" + b"q" * (edge_head.MAX_TARGET_BYTES - 2) + b" ", 1)
    too_long = fits.replace(b"qq", b"qqq", 1)
    endless = b"GET /" + b"p" * edge_head.MAX_HEAD_BYTES

    codes = [await site.codes(request) for request in (fits, too_long, endless)]

    assert codes == [["ok"], ["target_too_long"], ["target_too_long"]]


@pytest.mark.spec("EDGE-2")
@pytest.mark.parametrize("before", [b"", GET])
async def test_half_a_head_is_answered_when_its_time_is_over(
    site: Site, monkeypatch: pytest.MonkeyPatch, before: bytes
) -> None:
    monkeypatch.setattr(edge, "HEAD_SECONDS", 0.05)

    codes = await site.codes(before + GET[:-2])

    assert codes == [*["ok"] * bool(before), "request_timeout"]


@pytest.mark.spec("EDGE-2")
async def test_half_a_body_is_answered_when_its_time_is_over(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge, "HEAD_SECONDS", 0.05)
    monkeypatch.setattr(edge, "BODY_SECONDS", 0.05)

    codes = await site.codes(POST + b"Content-Length: 5\r\n\r\nhell")

    assert (codes, site.requests) == (["request_timeout"], [])


@pytest.mark.spec("EDGE-2")
async def test_a_request_that_is_whole_has_all_the_time_for_its_answer(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge, "HEAD_SECONDS", 0.01)
    monkeypatch.setattr(edge, "BODY_SECONDS", 0.01)
    site.held.clear()
    asking = asyncio.create_task(site.codes(closing(GET)))
    await site.asked.wait()

    # The time of another connection, which began later, is over first.
    assert await site.codes(b"GET") == ["request_timeout"]
    site.held.set()

    assert await asking == ["ok"]


@pytest.mark.spec("EDGE-2")
async def test_a_connection_nobody_uses_is_closed_without_a_word(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge, "HEAD_SECONDS", 0.05)

    assert await site.answers() == []


@pytest.mark.spec("EDGE-2")
async def test_a_connection_nobody_uses_any_more_is_closed(site: Site) -> None:
    site.server.config.timeout_keep_alive = 0

    assert await site.codes(GET) == ["ok"]


@pytest.mark.spec("EDGE-4")
async def test_a_refusal_is_a_problem_with_an_id(site: Site) -> None:
    reader, writer = await site.connect()

    writer.write(b"NONSENSE\r\n\r\n")

    head, body = (await reader.read()).split(b"\r\n\r\n")
    problem = json.loads(body)
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"\r\ncontent-type: application/problem+json\r\n" in head
    assert b"\r\nconnection: close" in head
    assert f"x-request-id: {problem['request_id']}".encode() in head
    assert problem["type"] == "https://api.example.com/docs/errors#malformed_request"
    writer.close()


@pytest.mark.spec("EDGE-8")
@pytest.mark.parametrize("before", [[], [GET]])
@pytest.mark.parametrize(
    ("wrong", "status", "request_id"),
    [
        ([b"NONSENSE\r\n\r\n"], 400, None),
        ([POST + b"X-Request-Id: mine\r\nX: " + b"x" * 2 * edge_head.MAX_HEAD_BYTES], 431, "mine"),
        ([GET.replace(b"Host", b"X-Request-Id: mine\r\nHost: x\r\nHost")], 400, "mine"),
        ([POST + b"X-Request-Id: mine\r\nTransfer-Encoding: chunked\r\n\r\nx"], 400, "mine"),
        ([CHUNKED, b"5\r\nhello\r\n", b"x\r\n"], 400, None),
    ],
)
async def test_each_refusal_is_told_of_once_under_the_id_of_its_answer(
    site: Site, before: list[bytes], wrong: list[bytes], status: int, request_id: str | None
) -> None:
    answers = await site.answers(*before, *wrong)

    told = site.seen.records
    assert [record.status for record in told] == [*[200] * len(before), status]
    assert {record.outcome for record in told} == {"answered"}
    problem = json.loads(answers[-1][1])
    assert problem["request_id"] == told[-1].request_id
    assert request_id in {None, told[-1].request_id}


@pytest.mark.spec("EDGE-8")
async def test_a_body_that_stops_is_told_of_as_what_it_is(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge, "HEAD_SECONDS", 0.05)
    monkeypatch.setattr(edge, "BODY_SECONDS", 0.05)

    await site.answers(POST + b"Content-Length: 5\r\n\r\nhell")

    (told,) = site.seen.records
    assert (told.method, told.status, told.outcome) == ("POST", 408, "answered")


@pytest.mark.spec("EDGE-4")
@pytest.mark.parametrize(
    "wrong", [b"NONSENSE\r\n\r\n", CHUNKED + b"x\r\n", GET.replace(b"Host", b"Guest")]
)
async def test_a_refusal_waits_for_the_answers_before_it(site: Site, wrong: bytes) -> None:
    site.held.clear()
    asking = asyncio.create_task(site.codes(GET + GET + wrong))
    await site.asked.wait()
    assert await site.codes(b"NONSENSE\r\n\r\n") == ["malformed_request"]

    site.held.set()

    assert await asking == ["ok", "ok", "malformed_request"]
    assert len(site.requests) == 2


@pytest.mark.spec("EDGE-4")
async def test_who_is_refused_can_read_it_though_they_send_on(site: Site) -> None:
    flood = b"X: " + b"x" * 4 * 1024 * 1024

    assert await site.codes(GET[:-2] + flood) == ["headers_too_large"]


@pytest.mark.spec("EDGE-4")
async def test_a_body_that_goes_wrong_is_refused_in_place_of_its_answer(site: Site) -> None:
    assert await site.codes(CHUNKED, b"5\r\nhello\r\n", b"x\r\n") == ["malformed_request"]
    assert site.requests == []


@pytest.mark.spec("EDGE-5")
async def test_trailers_and_extensions_are_dropped(site: Site) -> None:
    body = b"5;a=b\r\nhello\r\n0;c\r\nX-User-Id: mallory\r\nAuthorization: Bearer x\r\n\r\n"

    codes = await site.codes(CHUNKED + body + closing(GET))

    scope, received = site.requests[0]
    assert (codes, received) == (["ok", "ok"], b"hello")
    assert [name for name, _ in scope["headers"]] == [b"host", b"transfer-encoding"]


@pytest.mark.spec("EDGE-5")
@pytest.mark.parametrize(
    "endless",
    [b"1;" + b"x" * 128 * 1024, b"0\r\nX: " + b"x" * 128 * 1024, b"0\r\n" + b"X: x\r\n" * 20_000],
)
async def test_framing_without_an_end_is_refused(site: Site, endless: bytes) -> None:
    assert await site.codes(CHUNKED + endless) == ["malformed_request"]


@pytest.mark.spec("EDGE-5")
async def test_a_body_of_any_length_may_come_in_the_smallest_chunks(site: Site) -> None:
    count = 100_000

    codes = await site.codes(closing(CHUNKED) + b"1\r\nx\r\n" * count + b"0\r\n\r\n")

    assert (codes, len(site.requests[0][1])) == (["ok"], count)


@pytest.mark.spec("EDGE-3")
@pytest.mark.parametrize(
    "wrong",
    [
        GET.replace(b"Host: edge\r\n", b""),
        GET.replace(b"Host", b"Host: x\r\nHost"),
        GET.replace(b"/ ", b"* ", 1),
        GET.replace(b"/ ", b"/#x ", 1),
        GET.replace(b"HTTP/1.1", b"HTTP/2.0"),
        GET.replace(b"\r\n", b"\n"),
        POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        POST + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 5\r\n\r\nhello",
    ],
)
async def test_nothing_is_guessed(site: Site, wrong: bytes) -> None:
    assert await site.codes(wrong + GET) == ["malformed_request"]
    assert site.requests == []
