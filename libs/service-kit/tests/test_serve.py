import asyncio
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable

import pytest
from starlette.types import Receive, Scope, Send

from service_kit.api import ServiceApi
from service_kit.healthcheck import is_ready
from service_kit.serve import DrainingServer, server

LIMIT = 10
HELD = b"GET /held HTTP/1.1\r\nHost: kettle\r\n\r\n"
PLAIN = b"GET /readyz HTTP/1.1\r\nHost: kettle\r\n\r\n"


class Kettle:
    """An app whose answer to /held begins when told to, on a server that may be told to stop."""

    def __init__(self) -> None:
        self.status = 200
        self.app: ServiceApi | None = None
        self.held = asyncio.Event()
        self.asked = asyncio.Event()
        self.server: DrainingServer
        self.serving: asyncio.Task[None]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            while (message := await receive())["type"] != "lifespan.shutdown":
                await send({"type": f"{message['type']}.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        if self.app is not None:
            await self.app(scope, receive, send)
            return
        if scope["path"] == "/held":
            self.asked.set()
            await self.held.wait()
        headers = [(b"content-length", b"2")]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"ok"})

    @property
    def port(self) -> int:
        port: int = self.server.servers[0].sockets[0].getsockname()[1]
        return port

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def stop(self) -> None:
        """Tell the server to stop, and return when it takes no more connections."""
        listening = self.server.servers[0]
        self.server.should_exit = True
        await until(lambda: not listening.is_serving())


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - uvicorn has no event for it.
        await asyncio.sleep(0)


@pytest.fixture
async def kettle() -> AsyncIterator[Kettle]:
    kettle = Kettle()
    kettle.server = server(lambda: kettle, host="127.0.0.1", port=0)
    kettle.serving = asyncio.create_task(kettle.server._serve())
    async with asyncio.timeout(LIMIT):
        await until(lambda: kettle.server.started or kettle.serving.done())
        yield kettle
        kettle.server.should_exit = True
        await kettle.serving


async def read_head(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    head = head.lower()
    length = re.search(rb"content-length: (\d+)", head)
    assert length is not None
    await reader.readexactly(int(length[1]))
    return head


@pytest.mark.spec("EDGE-7")
async def test_a_connection_is_given_up_when_nothing_is_taken_for_half_a_minute(
    kettle: Kettle,
) -> None:
    _, writer = await kettle.connect()
    await until(lambda: bool(kettle.server.server_state.connections))
    (connection,) = kettle.server.server_state.connections

    accepted = connection.transport.get_extra_info("socket")

    assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 30_000
    writer.close()


@pytest.mark.spec("CON-4")
async def test_a_stopping_server_answers_what_it_has_begun(kettle: Kettle) -> None:
    reader, writer = await kettle.connect()
    writer.write(HELD)
    await kettle.asked.wait()

    await kettle.stop()
    kettle.held.set()

    assert b"connection: close" in await read_head(reader)
    assert await reader.read() == b""
    writer.close()


@pytest.mark.spec("CON-4")
@pytest.mark.parametrize("used", [True, False], ids=["used before", "never used"])
async def test_a_stopping_server_answers_what_still_arrives_on_an_open_connection(
    kettle: Kettle, used: bool
) -> None:
    reader, writer = await kettle.connect()
    if used:
        writer.write(PLAIN)
        assert b"connection: close" not in await read_head(reader)
    else:
        await until(lambda: bool(kettle.server.server_state.connections))

    await kettle.stop()
    writer.write(PLAIN)

    assert b"connection: close" in await read_head(reader)
    assert await reader.read() == b""
    writer.close()


@pytest.mark.spec("CON-4")
async def test_a_stopping_server_takes_no_new_connections(kettle: Kettle) -> None:
    port = kettle.port
    _, writer = await kettle.connect()
    await until(lambda: bool(kettle.server.server_state.connections))

    await kettle.stop()

    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    writer.close()


@pytest.mark.spec("CON-4")
async def test_a_connection_nobody_uses_keeps_a_stopping_server_only_so_long(
    kettle: Kettle,
) -> None:
    kettle.server.config.timeout_keep_alive = 1
    reader, writer = await kettle.connect()
    await until(lambda: bool(kettle.server.server_state.connections))

    await kettle.stop()

    assert await reader.read() == b""
    await kettle.serving
    writer.close()


@pytest.mark.spec("RUN-13")
async def test_an_interrupted_server_does_not_wait_for_a_connection_nobody_uses(
    kettle: Kettle,
) -> None:
    kettle.server.config.timeout_keep_alive = 1_000
    reader, writer = await kettle.connect()
    writer.write(PLAIN)
    await read_head(reader)

    kettle.server.handle_exit(signal.SIGINT, None)

    await kettle.serving
    assert await reader.read() == b""
    writer.close()


@pytest.mark.spec("RUN-13")
async def test_an_interrupted_server_answers_what_it_has_begun(kettle: Kettle) -> None:
    reader, writer = await kettle.connect()
    writer.write(HELD)
    await kettle.asked.wait()

    kettle.server.handle_exit(signal.SIGINT, None)
    await until(lambda: not kettle.server.servers[0].is_serving())
    kettle.held.set()

    assert b"connection: close" in await read_head(reader)
    writer.close()


@pytest.mark.spec("CON-21")
async def test_a_server_that_will_stop_serves_on_but_is_not_ready(kettle: Kettle) -> None:
    kettle.app = ServiceApi(title="kettle", description="For the tests of the kit.")
    reader, writer = await kettle.connect()
    writer.write(PLAIN)
    before = await read_head(reader)

    signal.raise_signal(signal.SIGUSR1)
    await until(lambda: kettle.server.server_state.leaving)

    writer.write(PLAIN)
    after = await reader.read()
    assert before.startswith(b"http/1.1 200 ")
    assert after.startswith(b"HTTP/1.1 503 ")
    assert b"connection: close" in after
    assert after.endswith(b'{"status":"unavailable","failing":["leaving"]}')
    alive, other = await kettle.connect()
    other.write(PLAIN.replace(b"readyz", b"healthz"))
    assert (await alive.read()).startswith(b"HTTP/1.1 200 ")
    writer.close()
    other.close()


@pytest.mark.spec("CON-3")
async def test_ready_means_that_readyz_answers_200(kettle: Kettle) -> None:
    port = kettle.port

    ready = await asyncio.to_thread(is_ready, port)
    kettle.status = 503
    unready = await asyncio.to_thread(is_ready, port)
    await kettle.stop()
    gone = await asyncio.to_thread(is_ready, port)

    assert (ready, unready, gone) == (True, False, False)


def test_a_start_that_fails_ends_the_process_as_a_failure() -> None:
    command = [sys.executable, "-m", "service_kit.serve", "service_kit.no_such_module:create_app"]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode not in {0, None}
    assert "no_such_module" in done.stderr
