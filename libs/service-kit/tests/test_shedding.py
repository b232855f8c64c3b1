import asyncio

import pytest
from httpx import ASGITransport, AsyncClient
from starlette.types import Message, Receive, Scope, Send

from service_kit import shedding
from service_kit.api import ServiceApi
from service_kit.shedding import OverloadedError, Shedding


@pytest.mark.spec("OVER-4")
async def test_a_service_refuses_what_is_too_much(api: ServiceApi) -> None:
    asked, held = asyncio.Event(), asyncio.Event()

    @api.get("/held")
    async def get_held() -> None:
        asked.set()
        await held.wait()

    api.state.max_waiting = 1
    async with AsyncClient(transport=ASGITransport(api), base_url="http://kettle") as client:
        waiting = asyncio.create_task(client.get("/held"))
        await asked.wait()
        refused = await client.get("/teapot")
        ready = await client.get("/readyz")
        held.set()
        served = await waiting
        after = await client.get("/teapot")

    assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
    assert refused.json()["request_id"] == refused.headers["x-request-id"]
    assert [answer.status_code for answer in (ready, served, after)] == [200, 200, 418]


@pytest.mark.spec("OVER-4")
async def test_an_answer_that_has_begun_does_not_count() -> None:
    begun, held = asyncio.Event(), asyncio.Event()
    sent: list[Message] = []

    async def stream(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        begun.set()
        await held.wait()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    app = Shedding(stream, limit=1, at_once=None, public_url="http://kettle")
    scope = {"type": "http", "path": "/", "headers": []}
    streams = [asyncio.create_task(app(scope, receive, send)) for _ in range(3)]
    await begun.wait()
    held.set()
    await asyncio.gather(*streams)

    assert [message.get("status") for message in sent if "status" in message] == [200] * 3


@pytest.mark.spec("OVER-4")
async def test_clients_that_send_slowly_take_nobodys_place() -> None:
    pieces: asyncio.Queue[Message] = asyncio.Queue()
    statuses: list[int] = []

    async def reads(_scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["more_body"]:
            pass
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def whole() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        statuses.extend([message["status"]] if "status" in message else [])

    app = Shedding(reads, limit=1, at_once=None, public_url="http://kettle")
    scope = {"type": "http", "path": "/", "headers": []}
    slow = [asyncio.create_task(app(scope, pieces.get, send)) for _ in range(3)]
    await asyncio.sleep(0)
    await app(scope, whole, send)
    for more in (True, True, True, False, False, False):
        pieces.put_nowait({"type": "http.request", "body": b"x", "more_body": more})
    await asyncio.gather(*slow)

    assert (statuses, app._working) == ([200] * 4, 0)


@pytest.mark.spec("OVER-4")
async def test_a_request_that_breaks_off_does_not_count_for_ever() -> None:
    async def breaks(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise ConnectionError

    async def receive() -> Message:
        return {}

    async def send(_message: Message) -> None:
        return

    app = Shedding(breaks, limit=1, at_once=None, public_url="http://kettle")
    for _ in range(3):
        with pytest.raises(ConnectionError):
            await app({"type": "http", "path": "/", "headers": []}, receive, send)


class Worker:
    """An application whose answers wait for `may_go_on`; `log` has the paths it was asked for."""

    def __init__(self) -> None:
        self.may_go_on = asyncio.Event()
        self.log: list[str] = []
        self.app = Shedding(self._work, limit=9, at_once=1, public_url="http://kettle")

    def ask(self, path: str) -> asyncio.Task[None]:
        scope = {"type": "http", "path": path, "headers": []}
        return asyncio.create_task(self.app(scope, self._receive, self._send))

    async def _work(self, scope: Scope, _receive: Receive, send: Send) -> None:
        await self.may_go_on.wait()
        self.log.append(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def _receive(self) -> Message:
        return {}

    async def _send(self, message: Message) -> None:
        if message.get("status") == OverloadedError.status:
            self.log.append("refused")


@pytest.mark.spec("OVER-5")
async def test_those_beyond_what_is_worked_on_at_once_wait_in_order_or_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    worker = Worker()
    first = worker.ask("/1")
    await asyncio.sleep(0)
    monkeypatch.setattr(shedding, "TURN_SECONDS", 60)
    others = [worker.ask(f"/{number}") for number in (2, 3)]
    await asyncio.sleep(0)
    monkeypatch.setattr(shedding, "TURN_SECONDS", 0)
    await worker.ask("/impatient")

    worker.may_go_on.set()
    await asyncio.gather(first, *others)

    assert worker.log == ["refused", "/1", "/2", "/3"]


@pytest.mark.spec("OVER-5")
async def test_nobody_waits_in_vain_while_turns_come_late_until_they_come_soon(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    worker = Worker()
    monkeypatch.setattr(shedding, "TURN_SECONDS", 60)
    first = worker.ask("/1")
    # The second to wait would have its turn after 40 s.
    worker.app.seconds_a_turn = 20

    waiting = [worker.ask("/2")]
    await asyncio.sleep(0)
    await worker.ask("/in-vain")
    worker.may_go_on.set()
    await asyncio.gather(first, *waiting)
    worker.may_go_on.clear()
    others = [worker.ask(f"/{number}") for number in (3, 4, 5)]
    await asyncio.sleep(0)
    worker.may_go_on.set()
    await asyncio.gather(*others)

    assert worker.log == ["refused", "/1", "/2", "/3", "/4", "/5"]


@pytest.mark.spec("OVER-4", "OVER-5")
def test_those_that_are_coming_count_before_they_have_begun(api: ServiceApi) -> None:
    app = Shedding(api, limit=9, at_once=2, public_url="http://kettle")

    limited = [app.full(coming) for coming in (8, 9)]
    app.seconds_a_turn = 1.0
    late = [app.full(coming) for coming in (2, 3)]

    assert (limited, late) == ([False, True], [False, True])
