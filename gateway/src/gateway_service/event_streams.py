"""Event streams on their way to the client: each for as long as its token lets in."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass

from starlette.types import Message, Receive, Scope, Send

from gateway_service.authentication.authenticator import Authenticator
from gateway_service.authentication.verdict_source import VerdictSource
from gateway_service.authentication.verdicts import Verdict
from gateway_service.errors import AuthUnavailableError, RefusalError, StreamsFullError
from gateway_service.forwarding import Forwarder
from gateway_service.upstream.request import Header
from service_kit.identity import END_HEADER
from service_kit.meanwhile import meanwhile

PATH = "/api/v1/events"
# A logout is in force on every stream within 5 s, whatever became of the message that told of it.
PERIOD_SECONDS = 4.0
_AT_ONCE = 500
_LAST_WORD_SECONDS = 1.0
_END: Message = {"type": "http.response.body", "body": b"", "more_body": False}
_EMPTY: tuple[Message, ...] = (
    {
        "type": "http.response.start",
        "status": 200,
        "headers": [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")],
    },
    {"type": "http.response.body", "body": b"retry: 1000\n\n", "more_body": False},
)


@dataclass(eq=False, slots=True)
class _Stream:
    scope: Scope
    verdict: Verdict
    limit: asyncio.Timeout

    def end(self) -> None:
        if not self.limit.expired():
            self.limit.reschedule(0)


class EventStreams:
    """Carries streams over `forwarder`, and ends those whose token is over.

    At most `most` at once. Use inside `async with kept_up()`. `clock` tells Unix seconds.
    """

    def __init__(
        self,
        forwarder: Forwarder,
        *,
        most: int,
        authenticator: Authenticator,
        source: VerdictSource,
        clock: Callable[[], float],
    ) -> None:
        self._forwarder = forwarder
        self._most = most
        self._authenticator = authenticator
        self._source = source
        self._clock = clock
        self._open: set[_Stream] = set()
        self._stopped = False

    async def forward(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        verdict: Verdict,
        headers: Sequence[Header],
    ) -> None:
        """Carry one stream until it ends by itself, its client hangs up, or it may not go on.

        Raises `StreamsFullError`, and what `Forwarder.forward` does.
        """
        if self._stopped:
            # Whoever comes back is served by another gateway, or by the next one.
            for message in _EMPTY:
                await send(message)
            return
        if len(self._open) >= self._most:
            # Not left to the pool: who waits there keeps a place among all other requests.
            raise StreamsFullError
        started = False

        async def relay(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        end: Header = (END_HEADER.encode(), b"%d" % verdict.expires_at)
        try:
            async with asyncio.timeout(verdict.expires_at - self._clock()) as limit:
                stream = _Stream(scope, verdict, limit)
                self._open.add(stream)
                try:
                    await self._forwarder.forward(scope, receive, relay, (*headers, end))
                finally:
                    self._open.discard(stream)
        except TimeoutError:
            # An event cut in two is dropped by its reader, who asks for it again.
            last_words = (_END,) if started else _EMPTY
            with suppress(TimeoutError):
                async with asyncio.timeout(_LAST_WORD_SECONDS):
                    for message in last_words:
                        await send(message)

    def stop(self) -> None:
        """End every stream, those to come too."""
        self._stopped = True
        self._end_all()

    def kept_up(self) -> AbstractAsyncContextManager[None]:
        """Look every few seconds which streams may not go on."""
        return meanwhile(self._look_forever())

    async def _look_forever(self) -> None:
        while True:
            await asyncio.sleep(PERIOD_SECONDS)
            streams = list(self._open)
            for start in range(0, len(streams), _AT_ONCE):
                await self._look(streams[start : start + _AT_ONCE])

    async def _look(self, streams: Sequence[_Stream]) -> None:
        try:
            await self._source.learn(*(stream.verdict for stream in streams))
        except AuthUnavailableError:
            # The unknown are refused, streams as well as requests.
            self._end_all()
            return
        for stream in streams:
            await self._check(stream)

    async def _check(self, stream: _Stream) -> None:
        try:
            if not self._source.holds(stream.verdict):
                caller = await self._authenticator.authenticate(stream.scope)
                stream.verdict = caller.verdict
            self._source.check(stream.verdict)
        except AuthUnavailableError:
            # Asked again in a moment; what was good is not ended because nobody can tell.
            return
        except RefusalError:
            stream.end()

    def _end_all(self) -> None:
        for stream in self._open:
            stream.end()
