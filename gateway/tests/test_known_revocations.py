"""What a process remembers of revocations: bounded, and never less than was said."""

from typing import TYPE_CHECKING

import pytest

from gateway_service.authentication.known_revocations import KnownRevocations, Revocation
from gateway_service.authentication.verdicts import Verdict

if TYPE_CHECKING:
    from gateway.tests.conftest import Clock

NOW = 1000


def verdict(issued_at: int | None = NOW) -> Verdict:
    return Verdict(
        user_id="alice",
        issuer="better-auth",
        expires_at=NOW + 900,
        not_before=None,
        issued_at=issued_at,
        token_key="k",
        token_ends_at=NOW + 900,
        user_tokens_end_at=NOW + 900,
        trust_version="t",
        verified_at=NOW,
        stale_at=NOW + 30,
    )


def covered(known: KnownRevocations, *keys: str) -> list[str]:
    return [key for key in keys if known.covers(key, verdict())]


@pytest.mark.spec("AUTH-45")
def test_the_oldest_goes_when_there_are_too_many() -> None:
    known = KnownRevocations(capacity=2)
    for key in ("a", "b", "a", "c"):
        known.add(Revocation(key, NOW + 900, None), 900)

    assert (covered(known, "a", "b", "c"), len(known)) == (["a", "c"], 2)


@pytest.mark.spec("AUTH-45")
def test_what_is_over_goes_first(clock: "Clock") -> None:
    known = KnownRevocations(capacity=100, clock=clock)
    known.add(Revocation("a", NOW + 100, None), 100)
    known.add(Revocation("b", NOW + 900, None), 900)

    clock.advance(100)
    known.add(Revocation("c", NOW + 900, None), 800)

    assert covered(known, "a", "b", "c") == ["b", "c"]


@pytest.mark.spec("AUTH-42")
@pytest.mark.parametrize("order", [(NOW, NOW - 60), (NOW - 60, NOW)])
def test_of_two_moments_the_later_counts_whichever_was_heard_first(order: tuple[int, int]) -> None:
    known = KnownRevocations()
    for issued_before in order:
        known.add(Revocation("a", NOW + 900, issued_before), 900)

    assert known.covers("a", verdict(issued_at=NOW))
    assert not known.covers("a", verdict(issued_at=NOW + 1))
