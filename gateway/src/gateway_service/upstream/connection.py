"""One HTTP/1.1 connection to an upstream: an exchange at a time, flow control both ways."""

import asyncio
from typing import cast

from gateway_service.upstream.answer import Answer
from gateway_service.upstream.deadline import Deadline
from gateway_service.upstream.errors import (
    UpstreamFailedError,
    UpstreamHungUpError,
    UpstreamTimeoutError,
)

# Reading pauses above this much of an answer not yet taken.
MAX_BUFFERED_BYTES = 64 * 1024


class UpstreamConnection(asyncio.Protocol):
    """Carries exchanges one after the other: `begin`, then `wait` for news of `answer`.

    `failure` says why no more will come of the present answer; `exchanges` counts those begun.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._deadline = Deadline(loop, self._expire)
        self._transport: asyncio.Transport
        self._waiter: asyncio.Future[None] | None = None
        self._has_news = False
        self._writable: asyncio.Future[None] | None = None
        self._write_paused = self._read_paused = False
        self.answer: Answer | None = None
        self.failure: Exception | None = None
        self.exchanges = 0

    def begin(self, data: bytes, *, head_only: bool) -> Answer:
        """Write the start of a request (or all of it) and return its answer, still empty."""
        self.exchanges += 1
        self._deadline.clear()
        self.answer = answer = Answer(head_only=head_only)
        self._transport.write(data)
        return answer

    def write(self, data: bytes) -> None:
        """Write more of the request; `drain` before the next piece."""
        self._transport.write(data)

    async def drain(self, seconds: float) -> None:
        """Wait until the upstream has read enough to be sent more.

        Raises `UpstreamTimeoutError` if that takes longer than `seconds`.
        """
        if not self._write_paused:
            return
        self._writable = self._loop.create_future()
        try:
            async with asyncio.timeout(seconds):
                await self._writable
        except TimeoutError:
            raise UpstreamTimeoutError("The upstream stopped reading the request.") from None

    async def wait(self, seconds: float | None) -> bool:
        """Wait for news of the answer: its head, more body, its end or a failure.

        False if `seconds` passed without any. News that came before is not waited for.
        """
        self._has_news = False
        waiter = self._waiter = self._loop.create_future()
        if seconds is not None:
            self._deadline.set(seconds)
        try:
            await waiter
        finally:
            self._waiter = None
            self._deadline.clear()
        return self._has_news

    def expire_in(self, seconds: float) -> None:
        """Give the wait in progress `seconds` from now."""
        if self._waiter is not None:
            self._deadline.set(seconds)

    def take(self) -> bytes:
        """Return the body that has arrived since the last call; reading goes on."""
        if self.answer is None:
            return b""
        data = self.answer.take()
        if self._read_paused:
            self._read_paused = False
            self._transport.resume_reading()
        return data

    def fail(self, reason: Exception) -> None:
        """Break the exchange off for `reason`, which the waiting side finds in `failure`."""
        if self.failure is None:
            self.failure = reason
        self._transport.abort()
        self._wake()

    def rest(self, seconds: float) -> None:
        """Become idle, and close unless another exchange begins within `seconds`."""
        self.answer = None
        self._deadline.set(seconds)

    def close(self) -> None:
        """Break off whatever is going on; nobody is waiting for it."""
        self.answer = None
        self._transport.abort()

    def is_reusable(self) -> bool:
        """Tell whether another exchange may begin once the present one is over."""
        answer = self.answer
        return (
            (answer is None or answer.reusable)
            and not self._write_paused
            and not self._transport.is_closing()
        )

    # What follows is called by the transport and the timer.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Hand what arrived to the answer, and wake who waits if that brought news."""
        answer = self.answer
        if answer is None:
            # Nobody asked: whatever this is, it must not become the next answer.
            self._transport.abort()
            return
        had_head = answer.has_head
        try:
            answer.feed(data)
        except UpstreamFailedError as error:
            self.fail(error)
            return
        if answer.buffered > MAX_BUFFERED_BYTES and not self._read_paused:
            self._read_paused = True
            self._transport.pause_reading()
        if answer.buffered or answer.complete or answer.has_head is not had_head:
            self._wake()

    def eof_received(self) -> None:
        """End the answer, if this is how it is framed; the transport closes itself."""
        if self.answer is not None and self.answer.end_of_stream():
            self._wake()
        else:
            self._hung_up()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  (given by asyncio)
        """Fail the exchange in progress and let go of everything that waits."""
        self._hung_up()
        self._deadline.cancel()
        self.resume_writing()

    def pause_writing(self) -> None:
        """Make `drain` wait."""
        self._write_paused = True

    def resume_writing(self) -> None:
        """Let `drain` return."""
        self._write_paused = False
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    def _hung_up(self) -> None:
        if self.failure is None and not (self.answer and self.answer.complete):
            self.failure = UpstreamHungUpError()
        self._wake()

    def _wake(self) -> None:
        # Told apart from the deadline passing even when both happen before the waiter runs.
        self._has_news = True
        self._end_wait()

    def _expire(self) -> None:
        if self.answer is None:
            self._transport.abort()
        self._end_wait()

    def _end_wait(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
