"""Users who write and read all the time, and what became of each of their requests."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import httpx

_TASKS = "/api/v1/tasks"
_PAGE = 200
_OK = 400
# A user who never paused would take from the system the time to start again.
_PAUSE_SECONDS = 0.05


@dataclass
class Load:
    """What happened: `written` holds the ids of acknowledged tasks by user.

    `failures` are the requests that got no answer or an error, in words.
    """

    written: dict[str, list[str]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    answered: int = 0
    longest_silence: float = 0.0
    _last_answer: float = field(default_factory=time.monotonic)
    _more: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def progress(self, answers: int) -> None:
        """Return when so many more requests have been answered well."""
        goal = self.answered + answers
        async with self._more:
            await self._more.wait_for(lambda: self.answered >= goal)

    async def note(self, answer: httpx.Response | Exception) -> None:
        """Count one request."""
        if isinstance(answer, Exception):
            self.failures.append(f"{type(answer).__name__}: {answer}")
        elif answer.status_code >= _OK:
            self.failures.append(f"{answer.status_code} {answer.text}")
        else:
            now = time.monotonic()
            self.longest_silence = max(self.longest_silence, now - self._last_answer)
            self._last_answer = now
            self.answered += 1
            async with self._more:
                self._more.notify_all()


@asynccontextmanager
async def load(
    urls: Sequence[str], headers: Callable[[str], Mapping[str, str]], users: int = 6
) -> AsyncIterator[Load]:
    """Let users work through the gateways at `urls` for the length of the block.

    `headers` gives those of a user. Like a balancer, a user whose gateway refuses the connection
    takes the next one, and such a try is not counted as a request.
    """
    seen = Load()
    done = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for number in range(users):
            user_id = f"user-{secrets.token_hex(8)}"
            user = _User(user_id, headers(user_id), number)
            group.create_task(_work(seen, done, urls, user))
        try:
            yield seen
        finally:
            done.set()


async def lost(seen: Load, url: str, headers: Callable[[str], Mapping[str, str]]) -> int:
    """Return how many of the acknowledged tasks are not there."""
    missing = 0
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) as client:
        for user_id, written in seen.written.items():
            found: set[str] = set()
            query: dict[str, str] = {"limit": str(_PAGE)}
            while True:
                answer = await client.get(_TASKS, params=query, headers=headers(user_id))
                page = answer.raise_for_status().json()
                found.update(task["id"] for task in page["items"])
                if page["next_cursor"] is None:
                    break
                query["cursor"] = page["next_cursor"]
            missing += len(set(written) - found)
    return missing


@dataclass(frozen=True)
class _User:
    user_id: str
    headers: Mapping[str, str]
    first_gateway: int


async def _work(seen: Load, done: asyncio.Event, urls: Sequence[str], user: _User) -> None:
    # Idle connections end before the server ends them, as in any client that is to lose nothing.
    limits = httpx.Limits(keepalive_expiry=2)
    written = seen.written.setdefault(user.user_id, [])
    async with httpx.AsyncClient(headers=user.headers, limits=limits, trust_env=False) as client:
        turn = user.first_gateway
        while not done.is_set():
            url = urls[turn % len(urls)] + _TASKS
            turn += 1
            try:
                created = await client.post(url, json={"title": "Written under load"})
                if created.is_success:
                    written.append(created.json()["id"])
                await seen.note(created)
                await seen.note(await client.get(url, params={"limit": "1"}))
            except httpx.ConnectError as error:
                if len(urls) == 1:
                    await seen.note(error)
            except httpx.TransportError as error:
                await seen.note(error)
            with suppress(TimeoutError):
                await asyncio.wait_for(done.wait(), _PAUSE_SECONDS)
