"""Refusing what is too much, at once, so that what is begun gets finished in time."""

import asyncio
from collections import deque
from typing import ClassVar

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service_kit.errors import ServiceError, send_problem

RETRY_AFTER_SECONDS = 1
TURN_SECONDS = 0.25
# An orchestrator that hears nothing would end the process, and with it what is begun.
_ALWAYS_SERVED = frozenset(("/healthz", "/readyz"))


class OverloadedError(ServiceError):
    """More requests wait for their answers than can have them in time."""

    status: ClassVar[int] = 503
    code: ClassVar[str] = "overloaded"
    title: ClassVar[str] = "Overloaded"

    def __init__(self) -> None:
        super().__init__(
            "Too many requests are waiting already, so nothing was done for this one: try again.",
            headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
        )


class Shedding:
    """Lets `limit` requests wait for the beginning of their answers, and no more.

    Of these `at_once` are worked on, the others in order of arrival, or refused when their turn
    has not come in a quarter of a second: to work on everything makes everything late. When those
    whose turn comes have waited for half of that, more would wait in vain, and none are let in.
    """

    def __init__(self, app: ASGIApp, *, limit: int, at_once: int | None, public_url: str) -> None:
        self._app = app
        self._limit = limit
        self._at_once = min(limit, at_once or limit)
        self._public_url = public_url
        self._working = 0
        self._queue: deque[asyncio.Future[None]] = deque()
        self._is_slow = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it (ASGI)."""
        if scope["type"] != "http" or scope["path"] in _ALWAYS_SERVED:
            await self._app(scope, receive, send)
            return
        if self._working >= self._at_once and not await self._turn_comes():
            await send_problem(OverloadedError(), scope, receive, send, self._public_url)
            return
        self._working += 1
        works = uploads = True
        begun = False

        async def send_counted(message: Message) -> None:
            nonlocal works, begun
            begun = True
            if works:
                # Whoever streams from here on waits for nothing that others need.
                works = False
                self._end_turn()
            await send(message)

        async def receive_uncounted() -> Message:
            nonlocal works, uploads
            if not works or not uploads:
                return await receive()
            # It is the client who works now: a slow one must not take anybody's place.
            works = False
            self._end_turn()
            message = await receive()
            uploads = message.get("more_body", False)
            if not begun:
                works = True
                self._working += 1
            return message

        try:
            await self._app(scope, receive_uncounted, send_counted)
        finally:
            if works:
                self._end_turn()

    @property
    def full(self) -> bool:
        """Whether one more would wait in vain."""
        waiting = len(self._queue)
        return (waiting > 0 and self._is_slow) or self._working + waiting >= self._limit

    async def _turn_comes(self) -> bool:
        if self.full:
            return False
        loop = asyncio.get_running_loop()
        turn, begun = loop.create_future(), loop.time()
        self._queue.append(turn)
        try:
            async with asyncio.timeout(TURN_SECONDS):
                await turn
        except TimeoutError:
            # It may have come in this very moment.
            self._wake()
            return False
        finally:
            self._is_slow = loop.time() - begun > TURN_SECONDS / 2
            if turn in self._queue:
                self._queue.remove(turn)
        return True

    def _end_turn(self) -> None:
        self._working -= 1
        self._wake()

    def _wake(self) -> None:
        while self._queue and self._working < self._at_once:
            turn = self._queue.popleft()
            if not turn.done():
                turn.set_result(None)
                return
