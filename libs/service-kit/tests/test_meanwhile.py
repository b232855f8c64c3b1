import asyncio
from contextlib import suppress

from service_kit.meanwhile import meanwhile

LIMIT = 20


async def test_works_go_on_side_by_side_and_have_ended_afterwards() -> None:
    said: list[str] = []
    both = asyncio.Barrier(3)

    async def work(name: str) -> None:
        try:
            await both.wait()
            await asyncio.Event().wait()
        finally:
            said.append(name)

    async with asyncio.timeout(LIMIT), meanwhile(work("a"), work("b")):
        await both.wait()
        assert said == []

    assert sorted(said) == ["a", "b"]


async def test_a_work_that_loses_a_cancellation_ends_all_the_same() -> None:
    begun, lost = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        with suppress(asyncio.CancelledError):
            begun.set()
            await asyncio.Event().wait()
        lost.set()
        await asyncio.Event().wait()

    async with asyncio.timeout(LIMIT), meanwhile(work()):
        await begun.wait()

    assert lost.is_set()
