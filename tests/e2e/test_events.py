"""Streams of changes through the whole system: several replicas, cut lines, parts that go."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from httpx import AsyncClient

from devkit.event_reader import Event, read_events
from devkit.follower import Follower
from devkit.mirror import everything, version_in
from devkit.stack import Stack, running_stack

EVENTS = "/api/v1/events"
TASKS = "/api/v1/tasks"
LIMIT = 60

Connect = Callable[[str, Mapping[str, str]], Awaitable[AsyncClient]]


@pytest.fixture(scope="module")
async def system() -> AsyncIterator[Stack]:
    """Give two replicas, each behind its own gateway; every test leaves all parts running.

    A stream is silent for longer than the gateways let other answers be.
    """
    environment: dict[str, dict[str, str]] = {
        "gateway": {"UPSTREAM_ANSWER_BODY": "0.3"},
        "gateway-2": {"UPSTREAM_ANSWER_BODY": "0.3"},
        "tasks": {"EVENTS_HEARTBEAT": "1", "EVENTS_POLL": "0.2"},
        "tasks-2": {"EVENTS_HEARTBEAT": "1", "EVENTS_POLL": "0.2"},
    }
    async with running_stack(environment=environment) as running:
        await running.add_replica()
        yield running


class Sides:
    """One user at both gateways."""

    def __init__(self, clients: list[AsyncClient]) -> None:
        self.one, self.other = clients


@pytest.fixture
async def alice(system: Stack, connect: Connect) -> Sides:
    headers = system.headers(f"alice-{secrets.token_hex(8)}")
    return Sides([await connect(url, headers) for url in system.urls])


async def new_task(client: AsyncClient, title: str = "x") -> str:
    created = await client.post(TASKS, json={"title": title})
    return str(created.raise_for_status().json()["id"])


@asynccontextmanager
async def streaming(client: AsyncClient) -> AsyncIterator[AsyncIterator[Event]]:
    """Open a stream; give what comes after it is ready."""
    async with asyncio.timeout(LIMIT), client.stream("GET", EVENTS) as answer:
        assert answer.status_code == 200
        events = read_events(answer.aiter_raw())
        while (await anext(events)).name != "ready":
            pass
        yield events


async def next_change(events: AsyncIterator[Event]) -> Any:
    while (event := await anext(events)).name != "change":
        pass
    return event.data["change"]


@pytest.mark.spec("EVENT-4", "EVENT-6", "EVENT-9")
async def test_a_stream_outlives_its_silence_and_shows_what_another_replica_wrote(
    alice: Sides,
) -> None:
    async with streaming(alice.other) as events:
        silence = [await anext(events) for _ in range(2)]
        task = await new_task(alice.one)
        change = await next_change(events)

    assert [event.name for event in silence] == ["comment", "comment"]
    assert change["id"] == task


@pytest.mark.spec("EVENT-7", "AUTH-43")
async def test_a_logout_at_one_gateway_ends_the_stream_at_the_other(alice: Sides) -> None:
    async with streaming(alice.other) as events:
        assert (await alice.one.post("/api/v1/auth/logout")).status_code == 204

        left = [event.name async for event in events]
    again = await alice.other.get(EVENTS)

    assert set(left) <= {"comment"}
    assert (again.status_code, again.json()["code"]) == (401, "token_revoked")


@pytest.mark.spec("EVENT-8", "EVENT-10")
async def test_clients_that_vanish_make_room_for_others(alice: Sides) -> None:
    async with AsyncExitStack() as opened:
        for _ in range(20):
            await opened.enter_async_context(streaming(alice.one))
        refused = await alice.one.get(EVENTS)
    async with asyncio.timeout(LIMIT):
        while await _status(alice.one) != 200:  # noqa: ASYNC110 - two services take notice.
            await asyncio.sleep(0.01)

    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_streams")


async def _status(client: AsyncClient) -> int:
    async with client.stream("GET", EVENTS) as answer:
        return answer.status_code


@pytest.mark.spec("EVENT-11")
@pytest.mark.parametrize("part", ["tasks-2", "gateway-2"])
async def test_streams_end_properly_with_a_part_that_stops_and_do_not_hold_it_up(
    system: Stack, alice: Sides, part: str
) -> None:
    before = system.log(part).count("graceful shutdown exceeded")
    async with streaming(alice.other) as events:
        stopping = asyncio.create_task(system.stop(part))
        try:
            left = [event.name async for event in events]
        finally:
            await stopping
            await system.start(part)

    assert set(left) <= {"comment"}
    assert system.log(part).count("graceful shutdown exceeded") == before


@pytest.mark.spec("EVENT-2", "EVENT-4", "SYNC-4")
async def test_who_is_cut_at_random_holds_what_the_server_has(system: Stack, alice: Sides) -> None:
    cut = secrets.SystemRandom()
    follower = Follower(alice.other, cut=lambda: cut.random() < 0.1)
    written: list[int] = []

    async def write(client: AsyncClient) -> None:
        for _ in range(20):
            task = await new_task(client)
            for change in ({"tags": [secrets.token_hex(1)[0]]}, {"title": "y"}):
                await client.patch(f"{TASKS}/{task}", json=change)
            if cut.random() < 0.5:
                await client.delete(f"{TASKS}/{task}")
            else:
                await client.post(f"{TASKS}/{task}/complete")
        await client.delete("/api/v1/trash")

    async def write_all() -> None:
        writers = asyncio.gather(*(write(client) for client in (alice.one, alice.other) * 3))
        await asyncio.sleep(0.5)
        await system.kill("redis")
        await asyncio.sleep(0.5)
        await system.start("redis")
        await writers
        last = await alice.one.post(TASKS, json={"title": "last"})
        written.append(version_in(last.headers["x-sync-cursor"]))
        # The reader may have heard of the last before we did: one more makes it look again.
        await new_task(alice.one)

    writing = asyncio.create_task(write_all())
    async with asyncio.timeout(LIMIT):
        await follower.follow(
            until=lambda it: bool(written) and version_in(it.mirror.cursor) >= written[0]
        )
    await writing
    await follower.mirror.sync()

    assert follower.mirror.objects == await everything(alice.one)
    assert follower.cuts > 0
    assert written[0] >= 400


@pytest.mark.spec("EVENT-2")
async def test_a_replica_that_crashes_costs_no_event(system: Stack, alice: Sides) -> None:
    follower = Follower(alice.other)
    tasks: list[str] = []

    async def write() -> None:
        tasks.append(await new_task(alice.one))
        await system.kill("tasks-2")
        tasks.append(await new_task(alice.one))
        await system.start("tasks-2")
        tasks.append(await new_task(alice.one))

    writing = asyncio.create_task(write())
    async with asyncio.timeout(LIMIT):
        await follower.follow(until=lambda it: version_in(it.mirror.cursor) == 3)
    await writing

    assert {task for _, task in follower.mirror.objects} == set(tasks)
