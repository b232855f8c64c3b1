"""Users who write and read all the time, and what became of each of their requests."""

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import httpx

_TASKS = "/api/v1/tasks"
_PAGE = 200
_OK = 400
_UNAVAILABLE = 503
# A user who never paused would take from the system the time to start again.
_PAUSE_SECONDS = 0.05
_BALANCER_SECONDS = 0.3


@dataclass
class Load:
    """What happened: `written` holds the ids of acknowledged tasks by user.

    `failures` are the requests that got no answer or an error, in words; `kinds` counts them by
    what a client can tell: status and code, or how the connection broke. `foreign` are the answers
    that showed a user what another wrote.
    """

    written: dict[str, list[str]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    answered: int = 0
    foreign: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    longest_silence: float = 0.0
    last_failure: float = 0.0
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
            self._fail(type(answer).__name__)
        elif answer.status_code >= _OK:
            self.failures.append(f"{answer.status_code} {answer.text}")
            self._fail(_kind(answer))
        else:
            now = time.monotonic()
            self.longest_silence = max(self.longest_silence, now - self._last_answer)
            self._last_answer = now
            self.answered += 1
            async with self._more:
                self._more.notify_all()

    def _fail(self, kind: str) -> None:
        self.kinds[kind] += 1
        self.last_failure = time.monotonic()


@asynccontextmanager
async def load(
    urls: Sequence[str],
    headers: Callable[[str], Mapping[str, str]],
    users: int = 6,
    patience: float = 5.0,
) -> AsyncIterator[Load]:
    """Let users work through the gateways at `urls` for the length of the block.

    `headers` gives those of a user, who waits `patience` seconds for an answer. Of several
    gateways they take the ready ones in turn, as behind a balancer.
    """
    seen = Load()
    done = asyncio.Event()
    balancer = _Balancer(urls)
    async with asyncio.TaskGroup() as group:
        if len(urls) > 1:
            await balancer.look()
            group.create_task(balancer.follow(done))
        for _ in range(users):
            user_id = f"user-{secrets.token_hex(8)}"
            client = _client(headers(user_id), patience)
            group.create_task(_work(seen, done, balancer, user_id, client))
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


class _Balancer:
    """Knows which gateways are ready; if none says so, those that were."""

    def __init__(self, urls: Sequence[str]) -> None:
        self._urls = urls
        self._ready = list(urls)
        self._turn = 0

    def choose(self) -> str:
        self._turn += 1
        return self._ready[self._turn % len(self._ready)]

    async def follow(self, done: asyncio.Event) -> None:
        """Ask all of them again and again."""
        while not done.is_set():
            await self.look()
            await _pause(done, _BALANCER_SECONDS)

    async def look(self) -> None:
        """Ask all of them once."""
        async with httpx.AsyncClient(trust_env=False, timeout=2) as client:
            answers = await asyncio.gather(*(self._is_ready(client, url) for url in self._urls))
        ready = [url for url, yes in zip(self._urls, answers, strict=True) if yes]
        self._ready = ready or self._ready

    @staticmethod
    async def _is_ready(client: httpx.AsyncClient, url: str) -> bool:
        try:
            return (await client.get(f"{url}/readyz")).is_success
        except httpx.TransportError:
            return False


def _client(headers: Mapping[str, str], patience: float) -> httpx.AsyncClient:
    # Idle connections end before the server ends them, as in any client that is to lose nothing.
    limits = httpx.Limits(keepalive_expiry=2)
    return httpx.AsyncClient(headers=headers, limits=limits, timeout=patience, trust_env=False)


async def _work(
    seen: Load, done: asyncio.Event, balancer: _Balancer, user_id: str, client: httpx.AsyncClient
) -> None:
    written, title = seen.written.setdefault(user_id, []), f"Written by {user_id}"
    async with client:
        while not done.is_set():
            url = balancer.choose() + _TASKS
            try:
                created = await client.post(url, json={"title": title})
                if created.is_success:
                    written.append(created.json()["id"])
                await seen.note(created)
                listed = await client.get(url, params={"limit": "1"})
                if listed.is_success:
                    items = listed.json()["items"]
                    seen.foreign += any(task["title"] != title for task in items)
                await seen.note(listed)
            except httpx.TransportError as error:
                await seen.note(error)
            await _pause(done, _PAUSE_SECONDS)


def _kind(answer: httpx.Response) -> str:
    try:
        kind = f"{answer.status_code} {answer.json()['code']}"
    except (ValueError, KeyError, TypeError):
        return f"{answer.status_code} that is no problem"
    unsaid = answer.status_code == _UNAVAILABLE and "retry-after" not in answer.headers
    return f"{kind} without Retry-After" if unsaid else kind


async def _pause(done: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(done.wait(), seconds)
