"""Refusing what is too much, at once, so that what is begun gets finished in time."""

import asyncio
from collections import deque
from typing import ClassVar

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service_kit.errors import ServiceError, send_problem

RETRY_AFTER_SECONDS = 1
TURN_SECONDS = 0.25
# Says in a request's scope that it was not `full` when the request came.
LET_IN = "taskgate.let_in"
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
    has not come in a quarter of a second: to work on everything makes everything late. Who would
    wait for more than half of that, as fast as turns come now, is not let in to wait.
    """

    def __init__(self, app: ASGIApp, *, limit: int, at_once: int | None, public_url: str) -> None:
        self._app = app
        self._limit = limit
        self._at_once = min(limit, at_once or limit)
        self._public_url = public_url
        self._working = 0
        self._queue: deque[asyncio.Future[bool]] = deque()
        # From one turn to the next, when the last one came.
        self.seconds_a_turn = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it (ASGI)."""
        if scope["type"] != "http" or scope["path"] in _ALWAYS_SERVED:
            await self._app(scope, receive, send)
            return
        if self._working >= self._at_once and not await self._turn_comes(scope):
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

    def full(self, coming: int = 0) -> bool:
        """Tell whether one more would wait in vain, after those that are `coming`."""
        free = max(0, self._at_once - self._working)
        ahead = len(self._queue) + max(0, coming - free)
        # Somebody always waits: else nobody would find out that turns come sooner again.
        in_vain = ahead > 0 and (ahead + 1) * self.seconds_a_turn > TURN_SECONDS / 2
        return in_vain or self._working + len(self._queue) + coming >= self._limit

    async def _turn_comes(self, scope: Scope) -> bool:
        if LET_IN not in scope and self.full():
            return False
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[bool] = loop.create_future()
        begun = loop.time()
        self._queue.append(turn)
        place = len(self._queue)
        patience = loop.call_later(TURN_SECONDS, _settle, turn)
        came = False
        try:
            came = await turn
        finally:
            patience.cancel()
            self.seconds_a_turn = (loop.time() - begun) / place
            if not came:
                self._queue.remove(turn)
        return came

    def _end_turn(self) -> None:
        self._working -= 1
        self._wake()

    def _wake(self) -> None:
        while self._queue and self._working < self._at_once:
            turn = self._queue.popleft()
            if not turn.done():
                turn.set_result(True)
                return


def _settle(turn: asyncio.Future[bool]) -> None:
    if not turn.done():
        turn.set_result(False)
