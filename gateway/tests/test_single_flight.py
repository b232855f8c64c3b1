"""Work that several wait for survives each of them."""

import asyncio
import gc
from typing import Any

import pytest

from gateway_service.authentication.single_flight import SingleFlight

KEY = "key"


class Work:
    """Counts its runs, and ends each when told to."""

    def __init__(self) -> None:
        self.runs = 0
        self.started = asyncio.Event()
        self.may_end = asyncio.Event()
        self.failure: Exception | None = None

    async def __call__(self) -> str:
        self.runs += 1
        self.started.set()
        await self.may_end.wait()
        if self.failure is not None:
            raise self.failure
        return "done"


@pytest.mark.spec("AUTH-21")
async def test_a_leader_that_is_cancelled_leaves_the_work_to_its_followers() -> None:
    flights, work = SingleFlight[str](), Work()
    leader = asyncio.create_task(flights.run(KEY, work))
    await work.started.wait()
    follower = asyncio.create_task(flights.run(KEY, work))
    leader.cancel()
    await asyncio.wait([leader])

    work.may_end.set()
    async with asyncio.timeout(5):
        result = await follower

    assert (result, work.runs, leader.cancelled()) == ("done", 1, True)


@pytest.mark.spec("AUTH-21")
async def test_a_failure_reaches_all_who_wait_and_is_not_kept() -> None:
    flights, work = SingleFlight[str](), Work()
    work.failure = LookupError("nobody knows")
    waiting = [asyncio.create_task(flights.run(KEY, work)) for _ in range(3)]
    await work.started.wait()
    work.may_end.set()

    results = await asyncio.gather(*waiting, return_exceptions=True)
    work.failure = None
    after = await flights.run(KEY, work)

    assert [type(result) for result in results] == [LookupError] * 3
    assert (after, work.runs) == ("done", 2)


async def test_a_failure_nobody_waits_for_any_more_is_no_news() -> None:
    reported: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: reported.append(context))
    flights, work = SingleFlight[str](), Work()
    work.failure = LookupError("nobody asks")
    leaver = asyncio.create_task(flights.run(KEY, work))
    await work.started.wait()
    leaver.cancel()
    await asyncio.wait([leaver])

    work.may_end.set()
    await asyncio.wait([*flights._flights.values()])
    del leaver
    gc.collect()
    loop.set_exception_handler(None)

    assert reported == []


async def test_closing_ends_what_is_under_way() -> None:
    flights, work = SingleFlight[str](), Work()
    waiting = asyncio.create_task(flights.run(KEY, work))
    await work.started.wait()

    await flights.aclose()
    await asyncio.wait([waiting])

    assert waiting.cancelled()
    assert flights._flights == {}
