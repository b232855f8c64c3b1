import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks_service.services.position import (
    last_position,
    position_before,
    position_between,
    spread,
)


@pytest.mark.spec("LIST-5")
@given(st.lists(st.integers(0, 30), max_size=150))
def test_positions_put_anywhere_keep_their_order_and_their_room(places: list[int]) -> None:
    order = [last_position(1)]

    for version, place in enumerate(places, 2):
        index = place % (len(order) + 1)
        if index == len(order):
            order.append(last_position(version))
        elif index == 0:
            order.insert(0, position_before(order[0]))
        else:
            position = position_between(order[index - 1], order[index])
            assert position is not None
            order.insert(index, position)

    assert order == sorted(set(order))
    assert all(len(position) >= 10 for position in order)


@pytest.mark.spec("LIST-5")
@pytest.mark.parametrize("side", ["low", "high", "either"])
def test_a_gap_takes_hundreds_and_then_says_so(side: str) -> None:
    low, high, taken = last_position(1), last_position(2), 0
    rng = random.Random(1)  # noqa: S311 - the same every time

    while (middle := position_between(low, high)) is not None:
        assert low < middle < high
        assert len(middle) <= 128
        taken += 1
        if side == "low" or (side == "either" and rng.random() < 0.5):
            high = middle
        else:
            low = middle

    assert taken > 400


@pytest.mark.spec("LIST-5")
def test_between_equals_there_is_no_room() -> None:
    assert position_between(last_position(1), last_position(1)) is None


@pytest.mark.spec("LIST-5")
@given(st.integers(0, 5000), st.integers(0, 10**9))
def test_a_crowd_spread_anew_is_in_order_short_and_within_its_bounds(
    count: int, version: int
) -> None:
    crowded = last_position(version)

    positions = list(spread(crowded + "8", count))

    assert positions == sorted(set(positions))
    assert len(positions) == count
    assert all(crowded < position < last_position(version + 1) for position in positions)
    assert all(len(position) <= 16 and not position[10:].endswith("0") for position in positions)
