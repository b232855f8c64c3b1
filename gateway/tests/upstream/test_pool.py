"""Which connection a request gets, and what becomes of it afterwards."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

import pytest
import uvicorn

from gateway_service.upstream.addresses import resolve_name
from gateway_service.upstream.errors import UpstreamUnavailableError
from gateway_service.upstream.pool import UpstreamPool
from gateway_service.upstream.timeouts import Freshness, UpstreamTimeouts

if TYPE_CHECKING:
    from gateway.tests.upstream.conftest import Call, Gateway, RawConnection, RawUpstream

MakeGateway = Callable[..., "Gateway"]
MakeUpstream = Callable[[], "RawUpstream"]
Address = tuple[str, int]

HOSTS = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
SOON = 0.1
NEVER = 3600.0
STILL = Freshness(resolve_interval=NEVER)


class Names:
    """A name server whose one name the test moves around."""

    def __init__(self, *addresses: Address) -> None:
        self.addresses = list(addresses)
        self.error: OSError | None = None
        self.asked = 0

    async def resolve(self, _host: str, _port: int) -> Sequence[Address]:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return list(self.addresses)


async def served(call: "Call", connection: "RawConnection") -> None:
    await connection.answer()
    await call.finish()


async def first_served(gateway: "Gateway", upstream: "RawUpstream") -> "RawConnection":
    call = gateway.call()
    connection = await upstream.accept()
    await served(call, connection)
    return connection


async def happens(condition: Callable[[], bool]) -> None:
    """Let the loop go round until the condition holds."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  (nothing announces what the pool forgets)
            await asyncio.sleep(0)


@pytest.fixture
async def replicas(make_upstream: MakeUpstream) -> list["RawUpstream"]:
    """Three upstreams with one port at three addresses."""
    first = await make_upstream().listen(HOSTS[0])
    return [first, *[await make_upstream().listen(host, first.port) for host in HOSTS[1:]]]


def addresses_of(replicas: Sequence["RawUpstream"]) -> list[Address]:
    return [(host, replicas[0].port) for host in HOSTS]


async def test_the_connection_used_last_is_used_next(
    gateway: "Gateway", upstream: "RawUpstream"
) -> None:
    first, second = gateway.call(), gateway.call()
    older, newer = await upstream.accept(), await upstream.accept()
    await older.answer()
    await newer.read_head()
    await asyncio.wait([first.task, second.task], return_when=asyncio.FIRST_COMPLETED)
    newer.write(OK)
    await asyncio.wait([first.task, second.task])

    third = gateway.call()
    await served(third, newer)

    assert third.body == b"ok"


@pytest.mark.spec("GW-9")
@pytest.mark.parametrize("goodbye", ["close", "reset", "speak"])
async def test_an_idle_connection_the_upstream_ends_or_speaks_on_is_dropped(
    gateway: "Gateway", upstream: "RawUpstream", goodbye: str
) -> None:
    idle = await first_served(gateway, upstream)

    if goodbye == "speak":
        idle.write(b"HTTP/1.1 408 Timeout\r\ncontent-length: 0\r\n\r\n")
    else:
        getattr(idle, goodbye)()
    await happens(lambda: not gateway.pool._open)
    call = gateway.call("POST")
    await served(call, await upstream.accept())

    assert call.body == b"ok"


async def test_a_connection_unused_for_long_is_closed(
    upstream: "RawUpstream", make_gateway: MakeGateway
) -> None:
    gateway = make_gateway(upstream.url, freshness=Freshness(idle_timeout=SOON))

    idle = await first_served(gateway, upstream)

    assert await idle.read_rest() == b""


@pytest.mark.spec("GW-9")
def test_an_idle_connection_is_left_before_the_upstream_closes_it() -> None:
    upstream = uvicorn.Config("any:app")

    assert Freshness().idle_timeout <= upstream.timeout_keep_alive - 1


@pytest.mark.spec("GW-10")
async def test_a_connection_past_its_age_is_not_used_again(
    upstream: "RawUpstream", make_gateway: MakeGateway
) -> None:
    gateway = make_gateway(upstream.url, freshness=Freshness(max_age=0))
    old = await first_served(gateway, upstream)

    call = gateway.call()
    await served(call, await upstream.accept())

    assert await old.read_rest() == b""


async def test_who_waits_for_a_connection_is_served_in_order(
    upstream: "RawUpstream", make_gateway: MakeGateway
) -> None:
    gateway = make_gateway(upstream.url, max_connections=1)
    calls = [gateway.call("GET", b"/%d" % number) for number in range(4)]
    connection = await upstream.accept()

    heads = [await connection.answer() for _ in calls]
    for call in calls:
        await call.finish()

    assert [head.split()[1] for head in heads] == [b"/0", b"/1", b"/2", b"/3"]
    assert len(upstream.accepted) == 1


@pytest.mark.spec("GW-12")
async def test_waiting_too_long_for_a_connection_is_unavailable(
    upstream: "RawUpstream", make_gateway: MakeGateway
) -> None:
    gateway = make_gateway(
        upstream.url, max_connections=1, timeouts=UpstreamTimeouts(pool_wait=SOON)
    )
    holder = gateway.call()
    connection = await upstream.accept()

    with pytest.raises(UpstreamUnavailableError):
        await gateway.get()

    await served(holder, connection)


async def test_a_request_cancelled_while_it_waits_takes_no_connection(
    upstream: "RawUpstream", make_gateway: MakeGateway
) -> None:
    gateway = make_gateway(upstream.url, max_connections=1)
    holder = gateway.call()
    connection = await upstream.accept()
    waiting, next_one = gateway.call(), gateway.call()
    await asyncio.sleep(0)

    waiting.task.cancel()
    await served(holder, connection)
    await served(next_one, connection)

    assert waiting.task.cancelled()


async def test_an_idle_connection_makes_room_for_another_address(
    replicas: list["RawUpstream"], make_gateway: MakeGateway
) -> None:
    names = Names(*addresses_of(replicas)[:2])
    gateway = make_gateway(
        replicas[0].url, max_connections=1, resolve=names.resolve, freshness=STILL
    )
    for _ in range(2):
        call = gateway.call()
        await happens(lambda: any(not r._waiting.empty() for r in replicas))
        upstream = next(r for r in replicas if not r._waiting.empty())
        await served(call, await upstream.accept())

    await happens(lambda: len(gateway.pool._open) == 1)

    assert [len(replica.accepted) for replica in replicas] == [1, 1, 0]


@pytest.mark.spec("GW-10")
async def test_several_addresses_share_the_load(
    replicas: list["RawUpstream"], make_gateway: MakeGateway
) -> None:
    names = Names(*addresses_of(replicas))
    gateway = make_gateway(replicas[0].url, resolve=names.resolve, freshness=STILL)

    calls = [gateway.call() for _ in range(9)]
    connections = [await replica.accept() for replica in replicas for _ in range(3)]
    for connection in connections:
        await connection.answer()
    for call in calls:
        await call.finish()

    assert [len(replica.accepted) for replica in replicas] == [3, 3, 3]


@pytest.mark.spec("GW-10")
async def test_a_busy_address_is_given_less(
    replicas: list["RawUpstream"], make_gateway: MakeGateway
) -> None:
    names = Names(*addresses_of(replicas)[:1])
    gateway = make_gateway(replicas[0].url, resolve=names.resolve, freshness=STILL)
    holders = [gateway.call(), gateway.call()]
    held = [await replicas[0].accept(), await replicas[0].accept()]
    names.addresses = addresses_of(replicas)[:2]
    await gateway.pool._book.refresh()

    calls = [gateway.call(), gateway.call()]
    connections = [await replicas[1].accept(), await replicas[1].accept()]

    for connection in held + connections:
        await connection.answer()
    for call in holders + calls:
        await call.finish()


@pytest.mark.spec("GW-10")
async def test_an_address_that_went_away_is_left(
    replicas: list["RawUpstream"], make_gateway: MakeGateway
) -> None:
    here, there = addresses_of(replicas)[:2]
    names = Names(here)
    gateway = make_gateway(
        replicas[0].url, resolve=names.resolve, freshness=Freshness(resolve_interval=0)
    )
    idle = await first_served(gateway, replicas[0])
    busy_call = gateway.call()
    await idle.read_head()

    names.addresses = [there]
    await gateway.pool._book.refresh()
    idle.write(OK)
    await busy_call.finish()
    call = gateway.call()
    await served(call, await replicas[1].accept())

    assert await idle.read_rest() == b""


@pytest.mark.spec("GW-10")
async def test_idle_connections_to_an_address_that_went_away_are_closed(
    replicas: list["RawUpstream"], make_gateway: MakeGateway
) -> None:
    here, there = addresses_of(replicas)[:2]
    names = Names(here)
    gateway = make_gateway(replicas[0].url, resolve=names.resolve, freshness=STILL)
    idle = await first_served(gateway, replicas[0])

    names.addresses = [there]
    await gateway.pool._book.refresh()

    assert await idle.read_rest() == b""


@pytest.mark.spec("GW-10")
async def test_the_name_is_resolved_again_while_requests_come(
    upstream: "RawUpstream", make_gateway: MakeGateway
) -> None:
    names = Names(("127.0.0.1", upstream.port))
    gateway = make_gateway(
        upstream.url, resolve=names.resolve, freshness=Freshness(resolve_interval=0)
    )
    idle = await first_served(gateway, upstream)
    asked = names.asked

    await served(gateway.call(), idle)

    assert names.asked == asked + 1


@pytest.mark.spec("GW-10")
@pytest.mark.parametrize("error", [OSError("no name server"), None])
async def test_a_resolution_that_fails_keeps_the_last_good_addresses(
    upstream: "RawUpstream", make_gateway: MakeGateway, error: OSError | None
) -> None:
    names = Names(("127.0.0.1", upstream.port))
    gateway = make_gateway(upstream.url, resolve=names.resolve, freshness=STILL)
    idle = await first_served(gateway, upstream)

    names.error, names.addresses = error, []
    await gateway.pool._book.refresh()
    call = gateway.call()
    await served(call, idle)

    assert call.body == b"ok"


@pytest.mark.spec("GW-9")
async def test_another_address_is_tried_when_one_refuses(
    replicas: list["RawUpstream"], make_gateway: MakeGateway
) -> None:
    names = Names(*addresses_of(replicas))
    gateway = make_gateway(replicas[0].url, resolve=names.resolve, freshness=STILL)
    replicas[0].stop_listening()
    replicas[1].stop_listening()

    calls = [gateway.call("POST") for _ in range(3)]
    for _ in calls:
        await (await replicas[2].accept()).answer()
    for call in calls:
        await call.finish()

    assert [call.body for call in calls] == [b"ok"] * 3


@pytest.mark.spec("GW-10")
async def test_a_request_follows_an_upstream_that_has_moved(
    replicas: list["RawUpstream"], make_gateway: MakeGateway
) -> None:
    here, there = addresses_of(replicas)[:2]
    names = Names(here)
    gateway = make_gateway(replicas[0].url, resolve=names.resolve, freshness=STILL)
    idle = await first_served(gateway, replicas[0])
    replicas[0].stop_listening()
    idle.close()
    await happens(lambda: not gateway.pool._open)

    names.addresses = [there]
    call = gateway.call("POST")
    await served(call, await replicas[1].accept())

    assert call.body == b"ok"


@pytest.mark.spec("GW-12")
@pytest.mark.parametrize("error", [OSError("unknown name"), None])
async def test_a_name_that_never_resolved_is_unavailable(
    make_gateway: MakeGateway, error: OSError | None
) -> None:
    names = Names()
    names.error = error
    gateway = make_gateway("http://tasks.test:1", resolve=names.resolve)

    with pytest.raises(UpstreamUnavailableError):
        await gateway.get()


@pytest.mark.spec("GW-12")
async def test_a_name_server_that_hangs_is_not_waited_for_longer_than_a_connection(
    make_gateway: MakeGateway,
) -> None:
    async def hang(_host: str, _port: int) -> Sequence[Address]:
        await asyncio.get_running_loop().create_future()
        return []

    gateway = make_gateway(
        "http://tasks.test:1", resolve=hang, timeouts=UpstreamTimeouts(connect=SOON)
    )

    with pytest.raises(UpstreamUnavailableError):
        await gateway.get()


@pytest.mark.spec("GW-10")
async def test_an_address_that_does_not_answer_leaves_time_for_the_next(
    replicas: list["RawUpstream"],
    make_gateway: MakeGateway,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lost, there = addresses_of(replicas)[:2]
    names = Names(lost, there)
    gateway = make_gateway(
        replicas[0].url,
        resolve=names.resolve,
        freshness=STILL,
        timeouts=UpstreamTimeouts(connect=4 * SOON),
    )
    await gateway.pool._book.refresh()
    attempts = black_hole(lost, monkeypatch)

    calls = [gateway.call(), gateway.call()]
    for _ in calls:
        await (await replicas[1].accept()).answer()
    for call in calls:
        await call.finish()
    holders = [gateway.call() for _ in range(4)]
    connections = list(replicas[1].accepted)
    connections += [await replicas[1].accept(), await replicas[1].accept()]
    for connection in connections:
        await connection.answer()
    for call in holders:
        await call.finish()

    assert [call.body for call in calls + holders] == [b"ok"] * 6
    assert len(attempts) == 1


def black_hole(address: Address, monkeypatch: pytest.MonkeyPatch) -> list[Address]:
    """Let nobody connect to the address, nor be told so; the attempts made."""
    attempts: list[Address] = []
    loop = asyncio.get_running_loop()
    connect: Callable[..., Awaitable[object]] = loop.create_connection

    async def never_there(factory: Callable[[], object], host: str, port: int) -> object:
        if (host, port) == address:
            attempts.append(address)
            return await loop.create_future()
        return await connect(factory, host, port)

    monkeypatch.setattr(loop, "create_connection", never_there)
    return attempts


async def test_closing_the_pool_ends_what_is_in_use_and_allows_nothing_new(
    gateway: "Gateway", upstream: "RawUpstream"
) -> None:
    idle_call, busy = gateway.call(), gateway.call()
    connections = [await upstream.accept(), await upstream.accept()]
    await connections[0].answer()
    await asyncio.wait([idle_call.task, busy.task], return_when=asyncio.FIRST_COMPLETED)

    await gateway.pool.aclose()
    done, _ = await asyncio.wait([idle_call.task, busy.task], timeout=5)

    assert len(done) == 2
    assert sum(task.exception() is not None for task in done) == 1
    with pytest.raises(UpstreamUnavailableError):
        await gateway.get()


@pytest.mark.parametrize(
    "url",
    [
        *("https://tasks", "tasks:8000", "http://", "http://tasks/base", "unix:///run/tasks"),
        *("http://user:secret@tasks", "http://tasks?x=1", "http://tasks#x", "http://tasks:port"),
    ],
)
def test_an_upstream_is_nothing_but_a_host_and_a_port(url: str) -> None:
    with pytest.raises(ValueError, match=r"upstream|Port"):
        UpstreamPool(url)


@pytest.mark.parametrize(
    ("url", "authority"),
    [
        ("http://tasks", b"tasks"),
        ("http://tasks:8000/", b"tasks:8000"),
        ("http://[::1]:8000", b"[::1]:8000"),
    ],
)
def test_the_authority_is_told_as_it_was_given(url: str, authority: bytes) -> None:
    assert UpstreamPool(url).authority == authority


@pytest.mark.spec("GW-10")
async def test_the_systems_resolver_gives_each_address_once() -> None:
    assert ("127.0.0.1", 80) in await resolve_name("localhost", 80)
    assert await resolve_name("127.0.0.1", 80) == [("127.0.0.1", 80)]
