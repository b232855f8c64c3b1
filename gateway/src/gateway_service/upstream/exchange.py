"""One request and its answer over a pooled connection."""

import asyncio
import logging

from starlette.types import Message, Receive, Send

from gateway_service.upstream.answer import Answer
from gateway_service.upstream.body import RequestBody
from gateway_service.upstream.endpoints import PooledConnection
from gateway_service.upstream.errors import (
    ClientDisconnectedError,
    UpstreamHungUpError,
    UpstreamTimeoutError,
)
from gateway_service.upstream.pool import UpstreamPool
from service_kit.errors import ServiceError

# An exchange that never waits longer than this is spared the price of a task that watches for
# the client hanging up.
PATIENCE_SECONDS = 0.05

# What may be repeated when nobody can tell whether it was handled (RFC 9110 §9.2.2).
_SAFE_METHODS = frozenset(("GET", "HEAD", "OPTIONS", "TRACE"))
_log = logging.getLogger(__name__)


class Exchange:
    """Carries one request over and its answer back: `start`, `relay`, and in any case `close`.

    The client is followed by a task of its own only while its body is being sent, or when the
    answer takes long or is long; that task reports by failing the connection.
    """

    __slots__ = (
        "_answer",
        "_begun",
        "_body",
        "_clock",
        "_connection",
        "_leased",
        "_pool",
        "_receive",
        "_uploading",
        "_watcher",
    )

    def __init__(self, pool: UpstreamPool, receive: Receive, body: RequestBody) -> None:
        self._pool = pool
        self._receive = receive
        self._body = body
        self._clock = asyncio.get_running_loop().time
        self._begun = 0.0
        self._leased = self._uploading = False
        self._watcher: asyncio.Task[None] | None = None
        self._connection: PooledConnection
        self._answer: Answer

    async def start(self, method: str, data: bytes) -> None:
        """Send the request, of which `data` is the start, and await the head of its answer.

        Raises `ServiceError`, or `ClientDisconnectedError` when the client did not wait.
        """
        self._begun = self._clock()
        connection = await self._pool.lease()
        self._use(connection)
        repeatable = connection.exchanges > 0 and self._body.empty and method in _SAFE_METHODS
        try:
            await self._hand_over(method, data)
        except UpstreamHungUpError:
            if not repeatable or self._answer.started:
                self._pool.breaker.failed()
                raise
            self._stop_watching()
            self._leased = False
            self._use(await self._pool.replace(connection))
            await self._hand_over(method, data)
        self._pool.breaker.succeeded()

    async def relay(self, send: Send) -> None:
        """Send the answer to the client, whole or as far as it comes.

        An answer that breaks off is left without its end, for the server to close on. Raises
        `ClientDisconnectedError` when the client does not take it.
        """
        answer = self._answer
        head: Message = {
            "type": "http.response.start",
            "status": answer.status,
            "headers": answer.headers,
        }
        if answer.complete:
            data = self._connection.take()
            self._release()
            await send(head)
            await send({"type": "http.response.body", "body": data, "more_body": False})
            return
        try:
            await self._send(send, head)
            await self._stream(send)
        except ServiceError as error:
            _log.warning("answer cut short: %s", error)
        except TimeoutError as error:
            _log.warning("answer cut short: %s", error)
            raise ClientDisconnectedError from error

    def close(self) -> None:
        """End the exchange wherever it stands, and give its connection back."""
        if self._leased:
            self._release()

    def _use(self, connection: PooledConnection) -> None:
        self._connection = connection
        self._leased = True

    def _release(self) -> None:
        # The watcher fails the connection, which may be another exchange's from here on.
        self._stop_watching()
        self._leased = False
        self._pool.release(self._connection, reusable=self._body.complete)

    async def _hand_over(self, method: str, data: bytes) -> None:
        connection = self._connection
        self._answer = answer = connection.begin(data, head_only=method == "HEAD")
        if not self._body.complete:
            self._uploading = True
            self._watch()
        while not answer.has_head:
            if not await self._news(self._head_seconds()):
                self._pool.breaker.failed()
                raise UpstreamTimeoutError("The upstream did not answer in time.")
        if connection.failure is not None and not answer.complete:
            raise connection.failure
        if self._uploading:
            # The answer came before the end of the request, the rest of which is not wanted.
            self._stop_watching()
            self._uploading = False

    async def _stream(self, send: Send) -> None:
        connection, answer = self._connection, self._answer
        while True:
            data, complete = connection.take(), answer.complete
            if complete:
                self._release()
            if data or complete:
                message: Message = {
                    "type": "http.response.body",
                    "body": data,
                    "more_body": not complete,
                }
                await self._send(send, message)
                if complete:
                    return
                self._watch()
            elif not await self._news(self._pool.timeouts.answer_body):
                raise UpstreamTimeoutError("The upstream fell silent within its answer.")

    async def _send(self, send: Send, message: Message) -> None:
        try:
            async with asyncio.timeout(self._pool.timeouts.write_stall):
                await send(message)
        except TimeoutError:
            raise TimeoutError("The client stopped reading its answer.") from None

    async def _news(self, seconds: float) -> bool:
        """Wait for news of the answer; False if there was none for `seconds`.

        Raises what the connection failed for.
        """
        connection = self._connection
        if connection.failure is not None:
            raise connection.failure
        if self._watcher is None:
            if await connection.wait(PATIENCE_SECONDS):
                return True
            self._watch()
        return await connection.wait(None if self._uploading else seconds)

    def _watch(self) -> None:
        if self._watcher is None:
            self._watcher = asyncio.create_task(self._follow_client(self._connection))

    def _stop_watching(self) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
            self._watcher = None

    async def _follow_client(self, connection: PooledConnection) -> None:
        """Send what is left of the body, then wait for the client to hang up."""
        try:
            if self._uploading:
                await self._upload(connection)
            while (await self._receive())["type"] != "http.disconnect":
                pass
        except Exception as error:  # noqa: BLE001  (the side that waits for the answer raises it)
            connection.fail(error)
        else:
            connection.fail(ClientDisconnectedError())

    async def _upload(self, connection: PooledConnection) -> None:
        timeouts, begun = self._pool.timeouts, self._clock()
        while not self._body.complete:
            connection.write(await self._body.read())
            await connection.drain(timeouts.write_stall)
        self._uploading = False
        self._begun += self._clock() - begun
        connection.expire_in(self._head_seconds())

    def _head_seconds(self) -> float:
        timeouts = self._pool.timeouts
        left = timeouts.total - (self._clock() - self._begun)
        return min(timeouts.answer_head, left)
