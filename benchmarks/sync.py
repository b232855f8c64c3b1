"""`python benchmarks/sync.py [WRITES]`: a client whose stream is cut at random stays in step.

A real system on loopback, two replicas of tasks, each behind its own gateway, and Redis killed in
between. Eight writers share one user; the reader is cut after one event in fifty. In the end its
copy must be what the server has; the exit code says whether it is.
"""

import asyncio
import random
import sys
import time
from contextlib import AsyncExitStack

from httpx import AsyncClient, Response, codes

from devkit.follower import Follower
from devkit.mirror import everything, version_in
from devkit.stack import Stack, running_stack

TASKS = "/api/v1/tasks"
WRITES = 10_000
WRITERS = 8
CUTS = 1 / 50
LIMIT_SECONDS = 1_200
_KINDS = ("create", "tag", "title", "complete", "trash", "restore")


class Tally:
    """What the writers were told; `third` is set once a third of `goal` is done."""

    def __init__(self, goal: int) -> None:
        self.writes = self.refused = self.last = 0
        self.third = asyncio.Event()
        self._goal = goal

    def count(self, answer: Response) -> None:
        """Count a write."""
        self.writes += 1
        if self.writes >= self._goal // 3:
            self.third.set()
        if answer.status_code >= codes.BAD_REQUEST:
            # Not in the trash, or there already.
            self.refused += 1
        else:
            self.last = max(self.last, version_in(answer.headers.get("X-Sync-Cursor")))


class Writer:
    """Makes writes of every kind to tasks of its own, as `chance` has it."""

    def __init__(self, client: AsyncClient, tally: Tally, chance: random.Random) -> None:
        self._client = client
        self._tally = tally
        self._chance = chance
        self._ids: list[str] = []

    async def write(self, writes: int) -> None:
        """Make so many, one after the other."""
        for _ in range(writes):
            task = f"{TASKS}/{self._chance.choice(self._ids)}" if self._ids else TASKS
            match self._chance.choice(_KINDS) if self._ids else "create":
                case "create":
                    created = await self._send("POST", TASKS, {"title": "x"})
                    self._ids.append(created.json()["id"])
                case "tag":
                    await self._send("PATCH", task, {"tags": [self._chance.choice("abcdef")]})
                case "title":
                    await self._send("PATCH", task, {"title": f"{self._chance.random()}"})
                case "complete":
                    await self._send("POST", f"{task}/complete")
                case "trash":
                    await self._send("DELETE", task)
                case "restore":
                    await self._send("POST", f"{task}/restore")

    async def _send(self, method: str, path: str, body: object = None) -> Response:
        answer = await self._client.request(method, path, json=body)
        self._tally.count(answer)
        return answer


async def main() -> int:
    """Write, follow, compare, and tell."""
    writes = int(sys.argv[1]) if len(sys.argv) > 1 else WRITES
    environment = {part: {"EVENTS_POLL": "0.5"} for part in ("tasks", "tasks-2")}
    async with running_stack(environment=environment) as system, AsyncExitStack() as opened:
        await system.add_replica()
        headers = system.headers("writer")
        one, other = [
            await opened.enter_async_context(
                AsyncClient(base_url=url, headers=headers, trust_env=False, timeout=30)
            )
            for url in system.urls
        ]
        chance = random.Random()  # noqa: S311 - when to cut is no secret.
        follower = Follower(other, cut=lambda: chance.random() < CUTS)
        tally, begun = Tally(writes), time.monotonic()
        writing = asyncio.create_task(_write_all(system, [one, other], writes, tally))
        following = asyncio.create_task(follower.follow(until=lambda _: False))
        async with asyncio.timeout(LIMIT_SECONDS):
            await writing
            while version_in(follower.mirror.cursor) < tally.last:  # noqa: ASYNC110 - it tells nobody.
                await asyncio.sleep(0.05)
        following.cancel()
        held, there = follower.mirror.objects, await everything(one)
    print(
        f"{tally.writes:,} writes by {WRITERS} writers in {time.monotonic() - begun:.0f} s, "
        f"{tally.refused:,} refused; {follower.events:,} events, the stream cut "
        f"{follower.cuts:,} times; {len(there):,} objects, "
        f"{'equal' if held == there else 'NOT EQUAL'} in the client and on the server"
    )
    return 0 if held == there else 1


async def _write_all(system: Stack, clients: list[AsyncClient], writes: int, tally: Tally) -> None:
    writers = [Writer(clients[n % 2], tally, random.Random(n)) for n in range(WRITERS)]  # noqa: S311
    each = (writer.write(writes // WRITERS) for writer in writers)
    await asyncio.gather(_restart_redis(system, tally), *each)


async def _restart_redis(system: Stack, tally: Tally) -> None:
    await tally.third.wait()
    await system.kill("redis")
    await asyncio.sleep(2)
    await system.start("redis")


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
