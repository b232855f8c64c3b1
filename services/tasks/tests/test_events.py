"""What happens, told as it happens."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastapi import FastAPI
from httpx import AsyncClient
from pydantic import SecretStr
from redis.asyncio import Redis
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import text
from starlette.types import Message

from devkit.event_reader import Event, read_events
from devkit.mirror import Mirror, everything
from devkit.pytest_plugin import CreateDatabase
from devkit.servers import Server
from tasks_service.main import create_app
from tasks_service.migrate import upgrade
from tasks_service.services import change_feed, change_source
from tasks_service.services.account import Writes
from tasks_service.services.notices import CHANNEL
from tasks_service.settings import TasksSettings

EVENTS = "/api/v1/events"
LISTS = "/api/v1/lists"
SYNC = "/api/v1/sync"
TASKS = "/api/v1/tasks"
LIMIT = 20
UserOf = Callable[[FastAPI, str], AsyncClient]


class Stream:
    """A request whose answer is read event by event."""

    def __init__(self, app: FastAPI, client: AsyncClient, query: str, headers: Any) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.hung_up = asyncio.Event()
        self._sent: asyncio.Queue[Message] = asyncio.Queue()
        given = {**client.headers, **headers}
        scope = {
            "type": "http",
            "method": "GET",
            "path": EVENTS,
            "raw_path": EVENTS.encode(),
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in given.items()],
            "state": {},
        }
        self.serving = asyncio.create_task(app(scope, self._receive, self._sent.put))
        self._events = read_events(self._pieces())

    async def _receive(self) -> Message:
        await self.hung_up.wait()
        return {"type": "http.disconnect"}

    async def _pieces(self) -> AsyncIterator[bytes]:
        more = True
        while more:
            message = await self._sent.get()
            if message["type"] == "http.response.body":
                more = message.get("more_body", False)
                yield message["body"]

    async def begin(self) -> None:
        async with asyncio.timeout(LIMIT):
            head = await self._sent.get()
        self.status = head["status"]
        self.headers = {name.decode(): value.decode() for name, value in head["headers"]}

    async def body(self) -> Any:
        return json.loads(b"".join([piece async for piece in self._pieces()]))

    async def next(self) -> Event:
        """Return the next event that is no comment."""
        async with asyncio.timeout(LIMIT):
            while True:
                event = await anext(self._events)
                if event.name not in {"comment", "retry"}:
                    return event

    async def next_of_any_kind(self) -> Event:
        async with asyncio.timeout(LIMIT):
            return await anext(self._events)

    async def until(self, name: str) -> list[Event]:
        """Return the events up to the first of this name."""
        events = [await self.next()]
        while events[-1].name != name:
            events.append(await self.next())
        return events

    async def end(self) -> None:
        """Return when the answer has ended."""
        async with asyncio.timeout(LIMIT):
            await self.serving


Open = Callable[..., Any]


@asynccontextmanager
async def opening() -> AsyncIterator[Any]:
    opened: list[Stream] = []

    async def open_stream(
        app: FastAPI, client: AsyncClient, query: str = "", headers: Mapping[str, str] | None = None
    ) -> Stream:
        stream = Stream(app, client, query, headers or {})
        opened.append(stream)
        await stream.begin()
        return stream

    try:
        yield open_stream
    finally:
        for stream in opened:
            stream.hung_up.set()
        async with asyncio.timeout(LIMIT):
            await asyncio.gather(*(stream.serving for stream in opened))


@pytest.fixture
async def open_any() -> AsyncIterator[Open]:
    """Give what opens a stream of an app."""
    async with opening() as open_stream:
        yield open_stream


@pytest.fixture
def open_stream(app: FastAPI, open_any: Open) -> Open:
    async def open_stream(*of: Any) -> Any:
        return await open_any(app, *of)

    return open_stream


async def new_task(client: AsyncClient, **fields: Any) -> str:
    headers = {"X-Client-Id": fields.pop("client_id")} if "client_id" in fields else {}
    created = await client.post(TASKS, json={"title": "x", **fields}, headers=headers)
    return str(created.raise_for_status().json()["id"])


async def at(client: AsyncClient, version: int) -> str:
    """Give the cursor of who knows everything up to a version of the user's."""
    cursor = str((await client.get(SYNC)).json()["cursor"])
    return f"{cursor.partition('.')[0]}.{version}"


@pytest.mark.spec("EVENT-1", "EVENT-2", "EVENT-6")
async def test_a_stream_tells_from_now_on_what_a_sync_would(
    alice: AsyncClient, open_stream: Open
) -> None:
    await new_task(alice)
    stream = await open_stream(alice)
    retry, ready = await stream.next_of_any_kind(), await stream.next()
    home = (await alice.post(LISTS, json={"name": "Home"})).json()
    task = (await alice.post(TASKS, json={"title": "x", "tags": ["a"]})).json()

    events = [await stream.next() for _ in range(3)]

    first, second, third = [await at(alice, version) for version in (1, 2, 3)]
    synced = (await alice.get(SYNC, params={"cursor": first})).json()["changes"]
    assert stream.status == 200
    assert stream.headers["content-type"].startswith("text/event-stream")
    assert (retry.name, 1000 <= retry.data < 3000) == ("retry", True)
    assert (ready.name, ready.data, ready.id) == ("ready", {"cursor": first}, first)
    assert {event.name for event in events} == {"change"}
    assert [event.data["change"] for event in events] == synced
    assert [event.data["change"]["object"] for event in events][::2] == [home, task]
    # Until the tag's task is told too, a client has not seen the whole of the third version.
    assert [event.id for event in events] == [second, second, third]


@pytest.mark.spec("EVENT-2")
@pytest.mark.parametrize("how", ["cursor", "header", "both"])
async def test_a_stream_goes_on_after_what_the_client_knows(
    alice: AsyncClient, open_stream: Open, how: str
) -> None:
    tasks = [await new_task(alice) for _ in range(3)]
    first = await at(alice, 1)
    query = {"cursor": f"cursor={first}", "both": "cursor=0"}.get(how, "")
    stream = await open_stream(alice, query, {} if how == "cursor" else {"Last-Event-ID": first})

    *told, ready = await stream.until("ready")

    assert [event.data["change"]["id"] for event in told] == tasks[1:]
    assert ready.id == await at(alice, 3)


@pytest.mark.spec("EVENT-1", "EVENT-2")
async def test_more_than_a_page_is_told_a_page_at_a_time(
    alice: AsyncClient, open_stream: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(change_source, "_PAGE", 2)
    home = (await alice.post(LISTS, json={"name": "Home"})).json()["id"]
    for _ in range(5):
        await new_task(alice, list_id=home)
    late, live = await open_stream(alice, "cursor=0"), await open_stream(alice)
    await late.until("ready")
    await live.next()
    await alice.delete(f"{LISTS}/{home}")
    last = await new_task(alice)

    streams = [[await stream.next() for _ in range(7)] for stream in (late, live)]

    for events in streams:
        assert [event.data["change"]["op"] for event in events] == ["delete"] * 6 + ["upsert"]
        assert events[-1].data["change"]["id"] == last
        # Who is cut off among the first five comes back from before them.
        assert [event.id for event in events[:5]] == [await at(alice, 6)] * 5
        assert events[-1].id == await at(alice, 8)


@pytest.mark.spec("EVENT-2")
async def test_a_stream_that_lags_behind_what_is_kept_reads_it_for_itself(
    alice: AsyncClient, open_stream: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(change_feed, "_KEPT_BYTES", 1)
    stream = await open_stream(alice)
    await stream.next()
    tasks = [await new_task(alice) for _ in range(4)]

    told = [await stream.next() for _ in range(4)]

    assert [event.data["change"]["id"] for event in told] == tasks


@pytest.mark.spec("EVENT-3", "SYNC-11")
async def test_a_cursor_that_cannot_be_gone_on_from_asks_for_a_sync(
    app: FastAPI, alice: AsyncClient, open_stream: Open
) -> None:
    await alice.delete(f"{TASKS}/{await new_task(alice)}")
    await alice.delete("/api/v1/trash")
    async with app.state.resources.database.engine.begin() as connection:
        await connection.execute(
            text("UPDATE account SET oldest_cursor = 2 WHERE user_id = :user"),
            {"user": alice.headers["x-user-id"]},
        )
    now = await at(alice, 3)
    early, late = await at(alice, 1), await at(alice, 99)
    old = await (await open_stream(alice, f"cursor={early}")).next()
    other = await (await open_stream(alice, "", {"Last-Event-ID": "ffffffff.3"})).next()
    ahead = await open_stream(alice, f"cursor={late}")
    asked = await ahead.next()
    task = await new_task(alice)

    told = await ahead.next()

    assert old == other == asked
    assert (asked.name, asked.data, asked.id) == ("resync_required", {"cursor": now}, now)
    assert told.data["change"]["id"] == task


@pytest.mark.spec("EVENT-3")
async def test_a_malformed_cursor_is_refused(alice: AsyncClient, open_stream: Open) -> None:
    for query, headers in (("cursor=x", {}), ("cursor=1", {"Last-Event-ID": "x"})):
        stream = await open_stream(alice, query, headers)
        assert stream.status == 400
        assert (await stream.body())["code"] == "invalid_cursor"


@pytest.mark.spec("EVENT-3", "SYNC-11")
async def test_who_follows_while_the_account_is_removed_is_told_to_begin_anew(
    alice: AsyncClient, open_stream: Open
) -> None:
    for _ in range(3):
        await new_task(alice, client_id="tab-1")
    stream = await open_stream(alice)
    await stream.next()
    await alice.delete("/api/v1/account", headers={"X-Confirm": "delete"})
    late = await open_stream(alice)
    ready = await late.next()
    tasks = [await new_task(alice, client_id="tab-2") for _ in range(2)]

    told = [await late.next() for _ in tasks]
    asked = await stream.until("resync_required")

    assert (ready.name, ready.id) == ("ready", "0")
    assert [event.data["change"]["id"] for event in told] == tasks
    assert [event.data["client_id"] for event in told] == ["tab-2", "tab-2"]
    assert [event.name for event in asked] == ["resync_required"]


@pytest.mark.spec("EVENT-5")
async def test_a_change_bears_the_id_of_the_client_that_made_it(
    alice: AsyncClient, open_stream: Open
) -> None:
    stream = await open_stream(alice)
    await stream.next()
    await new_task(alice, client_id="tab-1")
    await new_task(alice)
    batch = {"operations": [{"op": "create", "task": {"title": "x"}}] * 2}
    await alice.post("/api/v1/batch", json=batch, headers={"X-Client-Id": "tab-2"})

    told = [await stream.next() for _ in range(4)]

    assert [event.data["client_id"] for event in told] == ["tab-1", None, "tab-2", "tab-2"]


@pytest.mark.spec("EVENT-5")
@pytest.mark.parametrize("client_id", ["", "a b", "a" * 65, "ä"])
async def test_a_client_id_that_is_none_is_refused(alice: AsyncClient, client_id: str) -> None:
    headers = {b"X-Client-Id": client_id.encode("latin-1")}

    refused = await alice.post(TASKS, json={"title": "x"}, headers=headers)

    assert (refused.status_code, refused.json()["errors"][0]["header"]) == (422, "X-Client-Id")
    assert (await alice.get(TASKS)).json()["items"] == []


@pytest.mark.spec("TASK-7", "EVENT-1")
async def test_a_stream_tells_of_its_user_alone(
    alice: AsyncClient, mallory: AsyncClient, open_stream: Open
) -> None:
    hers, theirs = await open_stream(alice), await open_stream(mallory)
    await hers.next()
    await theirs.next()
    mine, other = await new_task(alice), await new_task(mallory)

    told = [(await stream.next()).data["change"]["id"] for stream in (hers, theirs)]

    assert told == [mine, other]


@pytest.mark.spec("EVENT-8")
async def test_a_user_has_so_many_streams_and_no_more(
    alice: AsyncClient, mallory: AsyncClient, open_stream: Open
) -> None:
    streams = [await open_stream(alice) for _ in range(20)]
    refused = await alice.get(EVENTS)
    other = await open_stream(mallory)
    streams[0].hung_up.set()
    await streams[0].end()

    again = await open_stream(alice)

    assert {stream.status for stream in streams} == {200}
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_streams")
    assert (other.status, again.status) == (200, 200)


@pytest.mark.spec("EVENT-7")
async def test_a_stream_says_that_the_token_ends_and_ends_with_it(
    alice: AsyncClient, open_stream: Open
) -> None:
    soon, later = int(time.time()) + 1, int(time.time()) + 1000
    long, short = [
        await open_stream(alice, "", {"X-Identity-End": str(end)}) for end in (later, soon)
    ]
    expiring = (await short.until("auth_expiring"))[-1]
    await short.end()

    assert expiring.data["expires_at"].endswith("Z")
    assert time.time() >= soon
    assert (await long.next()).name == "ready"
    assert not long.serving.done()


@pytest.mark.spec("EVENT-10")
async def test_a_client_that_hangs_up_leaves_nothing_behind(
    app: FastAPI, alice: AsyncClient, open_stream: Open
) -> None:
    stream = await open_stream(alice)
    await stream.next()

    stream.hung_up.set()
    await stream.end()

    assert alice.headers["x-user-id"] not in {
        followed.user_id for followed in app.state.resources.events._followed.values()
    }


@pytest.mark.spec("EVENT-4", "EVENT-12")
async def test_a_change_is_read_once_for_every_stream_and_idle_ones_hold_nothing(
    app: FastAPI, alice: AsyncClient, open_stream: Open
) -> None:
    engine = app.state.resources.database.engine
    streams = [await open_stream(alice) for _ in range(5)]
    for stream in streams:
        await stream.next()
    async with asyncio.timeout(LIMIT):
        # The service looks by itself, once it hears notices.
        while engine.pool.checkedout():  # noqa: ASYNC110 - it tells nobody.
            await asyncio.sleep(0.01)
    reads: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "tombstone" in statement:
            reads.append(statement)

    sqlalchemy_event.listen(engine.sync_engine, "before_cursor_execute", note)
    try:
        await new_task(alice)
        for stream in streams:
            await stream.next()
    finally:
        sqlalchemy_event.remove(engine.sync_engine, "before_cursor_execute", note)

    assert len(reads) == 1


@pytest.mark.spec("EVENT-4")
async def test_redis_is_told_no_user_id(alice: AsyncClient, app: FastAPI, redis_url: str) -> None:
    user_id = alice.headers["x-user-id"]
    async with Redis.from_url(redis_url) as redis, redis.pubsub() as heard:
        await heard.subscribe(CHANNEL)
        app.state.resources.events.announce(user_id, Writes(7_000_001, 7_000_002), "tab")
        async with asyncio.timeout(LIMIT):
            async for message in heard.listen():
                if message["type"] == "message" and b"7000001" in message["data"]:
                    break

    assert user_id.encode() not in message["data"]


class Replicas:
    """Two services on one database and one Redis."""

    def __init__(self, first: FastAPI, second: FastAPI, redis: Server) -> None:
        self.first, self.second, self.redis = first, second, redis


@pytest.fixture(scope="module")
async def replica_database(create_database: CreateDatabase) -> str:
    return await create_database()


@pytest.fixture
async def replicas(
    replica_database: str, redis_server: Server, settings: TasksSettings
) -> AsyncIterator[Replicas]:
    """Give two replicas whose heartbeat is far away, so that only a notice can be in time."""
    theirs = settings.model_copy(
        update={
            "database_url": SecretStr(replica_database),
            "redis_url": SecretStr(redis_server.url),
            "events_heartbeat": 60,
            "events_poll": 0.2,
        }
    )
    await upgrade(theirs.sqlalchemy_url)
    first, second = create_app(theirs), create_app(theirs)
    async with first.router.lifespan_context(first), second.router.lifespan_context(second):
        yield Replicas(first, second, redis_server)


async def until_heard(app: FastAPI) -> None:
    async with asyncio.timeout(LIMIT):
        while not await app.state.resources.events._notices.are_heard():  # noqa: ASYNC110 - Redis.
            await asyncio.sleep(0.01)


@pytest.mark.spec("EVENT-4", "EVENT-5")
async def test_a_write_on_one_replica_shows_on_the_other_with_and_without_redis(
    replicas: Replicas, user_of: UserOf, open_any: Open
) -> None:
    writer, reader = user_of(replicas.first, "alice"), user_of(replicas.second, "alice")
    await until_heard(replicas.second)
    stream = await open_any(replicas.second, reader)
    await stream.next()

    with_redis = await new_task(writer, client_id="tab")
    at_once = await stream.next()
    await replicas.redis.kill()
    without = await new_task(writer, client_id="tab")
    by_looking = await stream.next()
    await replicas.redis.start()
    await until_heard(replicas.first)
    await until_heard(replicas.second)
    again = await new_task(writer, client_id="tab")
    once_more = await stream.next()

    told = [at_once, by_looking, once_more]
    assert [event.data["change"]["id"] for event in told] == [with_redis, without, again]
    assert [event.data["client_id"] for event in told] == ["tab", None, "tab"]


@pytest.mark.spec("EVENT-4")
async def test_nothing_is_missed_when_redis_hangs(
    replicas: Replicas, user_of: UserOf, open_any: Open
) -> None:
    writer, reader = user_of(replicas.first, "bob"), user_of(replicas.second, "bob")
    await until_heard(replicas.second)
    stream = await open_any(replicas.second, reader)
    await stream.next()

    replicas.redis.pause()
    try:
        task = await new_task(writer)
        told = await stream.next()
    finally:
        replicas.redis.resume()

    assert told.data["change"]["id"] == task


@pytest.mark.spec("EVENT-2", "EVENT-4")
async def test_streams_cut_again_and_again_hold_what_the_server_has(
    replicas: Replicas, user_of: UserOf, open_any: Open
) -> None:
    writer, reader = user_of(replicas.first, "carol"), user_of(replicas.second, "carol")
    mirror = Mirror(reader)
    await mirror.sync()
    last_id = mirror.cursor

    async def write() -> None:
        for number in range(10):
            task = await new_task(writer, tags=[f"t{number % 3}"])
            await writer.delete(f"{TASKS}/{task}") if number % 2 else None
            await writer.delete("/api/v1/trash") if number % 5 == 4 else None

    writing = asyncio.gather(*(write() for _ in range(3)))
    done = False
    while not done:
        done = writing.done()
        stream = await open_any(replicas.second, reader, "", {"Last-Event-ID": str(last_id)})
        # Up to where it is when it was opened, or cut earlier.
        for _ in range(1000 if done else 3):
            event = await stream.next()
            last_id = event.id or last_id
            if event.name != "change":
                break
            mirror.apply(event.data["change"])
        stream.hung_up.set()
    await writing

    assert mirror.objects == await everything(reader)


@pytest.mark.spec("EVENT-11")
async def test_streams_end_at_once_when_the_service_is_told_to_stop(
    replicas: Replicas, user_of: UserOf, open_any: Open
) -> None:
    user = user_of(replicas.first, "dave")
    stream = await open_any(replicas.first, user)

    replicas.first.state.resources.events.stop()
    await stream.end()
    late = await open_any(replicas.first, user)
    await late.end()

    assert late.status == 200
