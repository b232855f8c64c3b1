import asyncio

import pytest

from tasks_service.turns import Turns


@pytest.mark.spec("SPEED-3")
async def test_who_came_first_has_the_next_turn_though_another_asks_when_it_comes_free() -> None:
    turns = Turns(1, seconds=30)
    served = []

    async def take(name: str) -> None:
        async with turns:
            served.append(name)

    async with turns:
        waiting = [asyncio.create_task(take(name)) for name in ("first", "second")]
        # Both run until they wait.
        await asyncio.sleep(0)
    await take("late")
    await asyncio.gather(*waiting)

    assert served == ["first", "second", "late"]


@pytest.mark.spec("TASK-23")
async def test_a_turn_that_does_not_come_in_time_is_a_timeout() -> None:
    turns = Turns(1, seconds=0)

    async with turns:
        with pytest.raises(TimeoutError):
            async with turns:
                pass
    async with turns:
        pass
