"""Word of writes from one process to all others, over Redis: that there is something to read.

A notice may get lost: who listens looks at the database too, now and then, and more often while
Redis is away.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from hashlib import sha256

import structlog
from pydantic import TypeAdapter, ValidationError
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from service_kit.meanwhile import meanwhile

CHANNEL = "taskgate:changes"
_WAITING = 10_000
_AT_ONCE = 100
_ANSWER_SECONDS = 1.0
_RECONNECT_SECONDS = 0.5
_LISTEN_SECONDS = 5.0

_logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Notice:
    """That a user, known by `user_key`, took these versions; `client_id` as the writer said.

    The release before told no `epoch`.
    """

    user: str
    first: int
    last: int
    client_id: str | None
    epoch: str | None = None


_NOTICES = TypeAdapter(Notice)


def user_key(user_id: str) -> str:
    """Return what stands for a user in a notice: a user id may be an e-mail address."""
    return sha256(user_id.encode()).hexdigest()


class Notices:
    """Tells and hears notices. Use inside `async with running(…)`."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._untold: asyncio.Queue[Notice] = asyncio.Queue(_WAITING)
        self._subscribed = False

    def tell(self, notice: Notice) -> None:
        """Tell the other processes, soon; nobody waits for Redis."""
        with suppress(asyncio.QueueFull):
            self._untold.put_nowait(notice)

    async def are_heard(self) -> bool:
        """Ask whether notices come through at the moment."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await self._redis.ping()
        except (RedisError, OSError, TimeoutError):
            return False
        return self._subscribed

    def running(
        self, hear: Callable[[Notice], None], begin: Callable[[], None]
    ) -> AbstractAsyncContextManager[None]:
        """Call `hear` with each notice, and `begin` when notices may have been missed till now."""
        return meanwhile(self._listen_forever(hear, begin), self._tell_forever())

    async def _tell_forever(self) -> None:
        while True:
            notices = [await self._untold.get()]
            while len(notices) < _AT_ONCE and not self._untold.empty():
                notices.append(self._untold.get_nowait())
            # What is lost here the others find in the database.
            with suppress(RedisError, OSError, TimeoutError):
                async with asyncio.timeout(_ANSWER_SECONDS):
                    await self._publish(notices)

    async def _publish(self, notices: list[Notice]) -> None:
        async with self._redis.pipeline(transaction=False) as pipeline:
            for notice in notices:
                pipeline.publish(CHANNEL, _NOTICES.dump_json(notice))
            await pipeline.execute()

    async def _listen_forever(
        self, hear: Callable[[Notice], None], begin: Callable[[], None]
    ) -> None:
        told = False
        while True:
            try:
                async with self._redis.pubsub() as pubsub:
                    await pubsub.subscribe(CHANNEL)
                    await self._listen(pubsub, hear, begin)
            except (RedisError, OSError) as error:
                if self._subscribed or not told:
                    _logger.warning("notices_unheard", reason=type(error).__name__)
                told = True
            finally:
                self._subscribed = False
            await asyncio.sleep(_RECONNECT_SECONDS)

    async def _listen(
        self, pubsub: PubSub, hear: Callable[[Notice], None], begin: Callable[[], None]
    ) -> None:
        while True:
            message = await pubsub.get_message(timeout=_LISTEN_SECONDS)
            if message is None:
                continue
            if message["type"] == "subscribe":
                # From here on nothing is missed; what was before, is to be looked for.
                self._subscribed = True
                begin()
            elif message["type"] == "message":
                try:
                    hear(_NOTICES.validate_json(message["data"]))
                except ValidationError:
                    _logger.warning("notice_rejected")
