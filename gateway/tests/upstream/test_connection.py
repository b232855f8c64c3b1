"""A connection and its transport, for moments too short to meet on a socket."""

import asyncio
import math
from typing import TypeVar

import pytest

from gateway_service.upstream.connection import UpstreamConnection
from gateway_service.upstream.endpoints import Endpoint, PooledConnection

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"

AnyConnection = TypeVar("AnyConnection", bound=UpstreamConnection)


class Transport(asyncio.Transport):
    """A transport that only notes whether it was closed."""

    closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass

    def abort(self) -> None:
        self.closing = True

    def is_closing(self) -> bool:
        return self.closing


def connected(connection: AnyConnection) -> AnyConnection:
    connection.connection_made(Transport())
    return connection


@pytest.fixture
async def connection() -> UpstreamConnection:
    return connected(UpstreamConnection(asyncio.get_running_loop()))


async def test_a_complete_answer_leaves_the_connection_reusable(
    connection: UpstreamConnection,
) -> None:
    connection.begin(b"GET", head_only=False)

    connection.data_received(OK)

    assert connection.is_reusable()


async def test_a_connection_that_closed_right_after_its_answer_is_not_reusable(
    connection: UpstreamConnection,
) -> None:
    connection.begin(b"GET", head_only=False)
    connection.data_received(OK)

    connection.close()

    assert not connection.is_reusable()


async def test_a_connection_still_full_of_its_request_is_not_reusable(
    connection: UpstreamConnection,
) -> None:
    connection.begin(b"POST", head_only=False)
    connection.pause_writing()

    connection.data_received(OK)

    assert not connection.is_reusable()


async def test_an_idle_connection_that_has_just_closed_is_passed_over() -> None:
    loop, endpoint = asyncio.get_running_loop(), Endpoint(("127.0.0.1", 1))
    good, closed = (
        connected(PooledConnection(loop, lambda _: None, endpoint, math.inf)) for _ in range(2)
    )
    closed.close()
    endpoint.idle = [good, closed]

    taken = endpoint.take_idle(loop.time())

    assert taken is good


async def test_a_lost_connection_lets_go_of_who_waits_to_write(
    connection: UpstreamConnection,
) -> None:
    connection.begin(b"POST", head_only=False)
    connection.pause_writing()
    draining = asyncio.create_task(connection.drain(3600))
    await asyncio.sleep(0)

    connection.connection_lost(None)

    async with asyncio.timeout(5):
        await draining


async def test_a_lost_connection_leaves_no_timer(connection: UpstreamConnection) -> None:
    connection.begin(b"GET", head_only=False)
    connection.rest(3600)

    connection.connection_lost(None)

    assert connection._deadline._handle is None
