"""A stream of server-sent events as an answer, for as long as there is somebody to read it."""

import asyncio
import json
import time
from datetime import UTC, datetime
from random import SystemRandom

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tasks_service.services.event_stream import EventStream

_EXPIRING_SECONDS = 30
# After how many milliseconds to come back: not everybody at once after a restart.
_RETRY = range(1000, 3000)
_HEARTBEAT = b":\n\n"
_random = SystemRandom()


class EventResponse(Response):
    """Sends a stream, and a comment where it is silent for `heartbeat` seconds.

    It ends when the caller's token does, at `ends_at` (Unix seconds), having said so shortly
    before; when the stream does; or when the client hangs up.
    """

    media_type = "text/event-stream"

    def __init__(self, stream: EventStream, *, heartbeat: float, ends_at: float | None) -> None:
        # Not super().__init__(), which would promise an empty body.
        self.status_code = 200
        self.background = None
        # The last one is for proxies that would collect the answer first.
        self.init_headers({"Cache-Control": "private, no-store", "X-Accel-Buffering": "no"})
        self._stream = stream
        self._heartbeat = heartbeat
        self._ends_at = ends_at
        self._warned = ends_at is None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        """Serve the request (ASGI)."""
        watching = asyncio.create_task(self._end_with_client(receive))
        try:
            head = {"status": self.status_code, "headers": self.raw_headers}
            await send({"type": "http.response.start", **head})
            await self._send(send, b"retry: %d\n\n" % _random.choice(_RETRY))
            await self._send_events(send)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            watching.cancel()
            self._stream.close()

    async def _send_events(self, send: Send) -> None:
        while True:
            data = await self._stream.take()
            if data:
                await self._send(send, data)
            elif not self._warned and self._left() <= _EXPIRING_SECONDS:
                self._warned = True
                await self._send(send, self._expiring())
            elif self._stream.over or self._left() <= 0:
                return
            elif not await self._stream.wait(min(self._heartbeat, self._until_word())):
                await self._send(send, _HEARTBEAT)

    def _left(self) -> float:
        return float("inf") if self._ends_at is None else self._ends_at - time.time()

    def _until_word(self) -> float:
        return self._left() if self._warned else self._left() - _EXPIRING_SECONDS

    def _expiring(self) -> bytes:
        ends_at = datetime.fromtimestamp(self._ends_at or 0, UTC)
        data = json.dumps({"expires_at": ends_at.isoformat().replace("+00:00", "Z")})
        return f"event: auth_expiring\ndata: {data}\n\n".encode()

    async def _end_with_client(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._stream.end()

    @staticmethod
    async def _send(send: Send, data: bytes) -> None:
        await send({"type": "http.response.body", "body": data, "more_body": True})
