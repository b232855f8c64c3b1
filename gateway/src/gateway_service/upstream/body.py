"""The client's request body, read piece by piece: counted, timed and framed for upstream."""

import asyncio

from starlette.types import Receive

from gateway_service.upstream.errors import (
    BodyTooLargeError,
    ClientDisconnectedError,
)
from gateway_service.upstream.request import CHUNKED
from service_kit.edge_errors import RequestTimeoutError


class RequestBody:
    """A body of `length` bytes (`CHUNKED`: any number up to `limit`), never held whole.

    `complete` becomes true with the last piece; an
    `empty` one is complete from the start.
    """

    __slots__ = ("_chunked", "_limit", "_receive", "_remaining", "_timeout", "complete", "empty")

    def __init__(self, receive: Receive, length: int, *, limit: int, timeout: float) -> None:
        if length > limit:
            raise BodyTooLargeError(limit)
        self._receive = receive
        self._chunked = length == CHUNKED
        self._limit = limit
        self._remaining = limit if self._chunked else length
        self._timeout = timeout
        self.empty = self.complete = length == 0

    async def read(self) -> bytes:
        """Return the next piece in wire form.

        Raises `BodyTooLargeError` beyond the limit or the declared length,
        `RequestTimeoutError` when the client is silent, `ClientDisconnectedError` when it left.
        """
        try:
            async with asyncio.timeout(self._timeout):
                message = await self._receive()
        except TimeoutError:
            raise RequestTimeoutError(
                f"Nothing more of the body arrived for {self._timeout:g} seconds."
            ) from None
        if message["type"] == "http.disconnect":
            raise ClientDisconnectedError
        data: bytes = message.get("body", b"")
        return self._framed(data, last=not message.get("more_body", False))

    def _framed(self, data: bytes, *, last: bool) -> bytes:
        self._remaining -= len(data)
        if self._remaining < 0:
            raise BodyTooLargeError(self._limit)
        if not self._chunked:
            if last and self._remaining:
                # Handing over less than was declared would let the upstream read the next
                # request on this connection as the rest of this one.
                raise ClientDisconnectedError
            self.complete = last
            return data
        self.complete = last
        return (b"%x\r\n%b\r\n" % (len(data), data) if data else b"") + (b"0\r\n\r\n" * last)
