"""Both ends of an exchange in a test's hands: a raw-socket upstream and a scripted ASGI client."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, Self

import pytest
import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway_service.forwarding import Forwarder
from gateway_service.upstream.pool import UpstreamPool

Header = tuple[bytes, bytes]

PATIENCE = 20.0
LOOPBACK = "127.0.0.1"
BODY_LIMIT = 1024 * 1024
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
IDENTITY = ((b"x-user-id", b"alice"), (b"x-identity", b"signed"))


class RawConnection:
    """One accepted connection, or one made by `connect`: bytes in, bytes out."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, port: int) -> Self:
        return cls(*await asyncio.open_connection(LOOPBACK, port))

    async def read_head(self) -> bytes:
        async with asyncio.timeout(PATIENCE):
            return await self.reader.readuntil(b"\r\n\r\n")

    async def read(self, count: int) -> bytes:
        async with asyncio.timeout(PATIENCE):
            return await self.reader.readexactly(count)

    async def read_rest(self) -> bytes:
        """Whatever comes until the other side closes or resets the connection."""
        pieces = []
        async with asyncio.timeout(PATIENCE):
            with contextlib.suppress(ConnectionError):
                while piece := await self.reader.read(2**16):
                    pieces.append(piece)
        return b"".join(pieces)

    async def answer(self, data: bytes = OK) -> bytes:
        """Take one request without a body and answer it; the request's head."""
        head = await self.read_head()
        self.writer.write(data)
        return head

    def write(self, data: bytes) -> None:
        self.writer.write(data)

    async def drain(self) -> None:
        async with asyncio.timeout(PATIENCE):
            await self.writer.drain()

    def close(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        self.writer.transport.abort()


class RawUpstream:
    """A listening socket that leaves every answer to the test."""

    def __init__(self) -> None:
        self.accepted: list[RawConnection] = []
        self.port = 0
        self._waiting: asyncio.Queue[RawConnection] = asyncio.Queue()
        self._server: asyncio.Server

    async def listen(self, host: str = LOOPBACK, port: int = 0) -> Self:
        self._server = await asyncio.start_server(self._take, host, port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    async def accept(self) -> RawConnection:
        async with asyncio.timeout(PATIENCE):
            return await self._waiting.get()

    def stop_listening(self) -> None:
        self._server.close()

    def close(self) -> None:
        self._server.close()
        for connection in self.accepted:
            connection.reset()

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = RawConnection(reader, writer)
        self.accepted.append(connection)
        self._waiting.put_nowait(connection)


class Call:
    """One ASGI request under way, with the client's side of it in the test's hands."""

    def __init__(
        self,
        forwarder: Forwarder,
        method: str,
        target: bytes,
        headers: Iterable[Header],
        body: Iterable[bytes] | None,
    ) -> None:
        path, _, query = target.partition(b"?")
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "path": path.decode(),
            "raw_path": path,
            "query_string": query,
            "headers": list(headers),
        }
        self.sent: list[Message] = []
        self.reads = 0
        self.watched = asyncio.Event()
        self._inbox: asyncio.Queue[Message] = asyncio.Queue()
        self._changed = asyncio.Condition()
        self._reading = asyncio.Event()
        self._reading.set()
        if body is not None:
            self.upload(*body, more=False)
        self.task = asyncio.ensure_future(
            forwarder.forward(scope, self._receive, self._send, IDENTITY)
        )

    def upload(self, *pieces: bytes, more: bool = True) -> None:
        for piece in pieces[:-1]:
            self._inbox.put_nowait({"type": "http.request", "body": piece, "more_body": True})
        last = pieces[-1] if pieces else b""
        self._inbox.put_nowait({"type": "http.request", "body": last, "more_body": more})

    def hang_up(self) -> None:
        self._inbox.put_nowait({"type": "http.disconnect"})

    def stop_reading(self) -> None:
        self._reading.clear()

    def go_on_reading(self) -> None:
        self._reading.set()

    async def finish(self) -> Self:
        """Wait for the end; raises what the forwarder raised."""
        async with asyncio.timeout(PATIENCE):
            await self.task
        return self

    async def until(self, condition: Callable[[Self], bool]) -> None:
        """Wait until what the client has got meets the condition."""
        async with asyncio.timeout(PATIENCE), self._changed:
            await self._changed.wait_for(lambda: condition(self))

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def headers(self) -> list[Header]:
        return list(self.sent[0]["headers"])

    @property
    def body(self) -> bytes:
        return b"".join(message["body"] for message in self.sent[1:])

    @property
    def complete(self) -> bool:
        return bool(self.sent) and self.sent[-1].get("more_body") is False

    async def _receive(self) -> Message:
        self.reads += 1
        self.watched.set()
        return await self._inbox.get()

    async def _send(self, message: Message) -> None:
        await self._reading.wait()
        async with self._changed:
            self.sent.append(message)
            self._changed.notify_all()


class Gateway:
    """A pool with its forwarder, and calls through it."""

    def __init__(self, pool: UpstreamPool, body_limit: int = BODY_LIMIT) -> None:
        self.pool = pool
        self.forwarder = Forwarder(pool, body_limit=body_limit)

    def call(
        self,
        method: str = "GET",
        target: bytes = b"/",
        headers: Iterable[Header] = (),
        body: Iterable[bytes] | None = (),
    ) -> Call:
        """Start a request; `body=None` leaves sending one to the test."""
        return Call(self.forwarder, method, target, headers, body)

    async def get(self, **options: Any) -> Call:
        return await self.call("GET", **options).finish()


@pytest.fixture(autouse=True)
async def nothing_left_behind() -> AsyncIterator[None]:
    """Fail a test after which a task still runs, or an error was reported to nobody."""
    loop = asyncio.get_running_loop()
    before = asyncio.all_tasks()
    reported: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: reported.append(context))
    yield
    loop.set_exception_handler(None)
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    if left:
        await asyncio.wait(left, timeout=1)
    assert not [task for task in left if not task.done()]
    assert not reported


@pytest.fixture
async def make_upstream() -> AsyncIterator[Callable[[], RawUpstream]]:
    upstreams: list[RawUpstream] = []

    def make() -> RawUpstream:
        upstreams.append(RawUpstream())
        return upstreams[-1]

    yield make
    for upstream in upstreams:
        upstream.close()


@pytest.fixture
async def upstream(make_upstream: Callable[[], RawUpstream]) -> RawUpstream:
    return await make_upstream().listen()


@pytest.fixture
async def make_gateway() -> AsyncIterator[Callable[..., Gateway]]:
    """Gateways by URL and options of their pool; at the end none may hold a lease."""
    gateways: list[Gateway] = []

    def make(url: str, body_limit: int = BODY_LIMIT, **options: Any) -> Gateway:
        gateways.append(Gateway(UpstreamPool(url, **options), body_limit))
        return gateways[-1]

    yield make
    free = [gateway.pool._slots._value for gateway in gateways]
    for gateway in gateways:
        await gateway.pool.aclose()
    assert free == [gateway.pool._max_connections for gateway in gateways]


@pytest.fixture
def gateway(upstream: RawUpstream, make_gateway: Callable[..., Gateway]) -> Gateway:
    return make_gateway(upstream.url)


@pytest.fixture
async def serve() -> AsyncIterator[Callable[[ASGIApp], Any]]:
    """Serve ASGI apps by a real uvicorn; awaiting the call gives the port."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(app: ASGIApp) -> int:
            config = uvicorn.Config(
                app, host=LOOPBACK, port=0, lifespan="off", http="httptools", server_header=False
            )
            server = QuietServer(config)
            task = asyncio.create_task(server.serve(), name="uvicorn")
            stack.push_async_callback(server.stop, task)
            await server.listening.wait()
            return int(server.servers[0].sockets[0].getsockname()[1])

        yield start


@pytest.fixture
async def connect(
    gateway: Gateway, serve: Callable[[ASGIApp], Awaitable[int]]
) -> AsyncIterator[Callable[[], Awaitable[RawConnection]]]:
    """Connect to a uvicorn that does nothing but forward."""
    connections: list[RawConnection] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await gateway.forwarder.forward(scope, receive, send, IDENTITY)

    port = await serve(app)

    async def open_connection() -> RawConnection:
        connections.append(await RawConnection.connect(port))
        return connections[-1]

    yield open_connection
    for connection in connections:
        connection.reset()


class QuietServer(uvicorn.Server):
    """Uvicorn without its signal handlers, and with an event for having started."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    async def stop(self, task: "asyncio.Task[None]") -> None:
        self.should_exit = self.force_exit = True
        await task
