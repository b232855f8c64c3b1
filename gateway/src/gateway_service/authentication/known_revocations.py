"""The revocations a process knows of: looked up on every request, so without any I/O."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import TypeAdapter

from gateway_service.authentication.verdicts import Verdict

_CAPACITY = 100_000
# The clock by which one seems to be over may be set back again. After this time callers have been
# looked up anew, and Redis with them.
_LEAST_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Revocation:
    """What stays revoked until when; of a user the tokens `issued_before` then, or in that second.

    Times are Unix seconds.
    """

    key: str
    until: int
    issued_before: int | None


REVOCATIONS = TypeAdapter(Revocation)


class KnownRevocations:
    """At most `capacity` of them: about 400 bytes each. Redis has all.

    They age by `clock`, which nobody sets.
    """

    def __init__(
        self, capacity: int = _CAPACITY, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._capacity = capacity
        self._clock = clock
        # Each with the time at which it is over.
        self._revocations: OrderedDict[str, tuple[Revocation, float]] = OrderedDict()

    def add(self, revocation: Revocation, seconds: float) -> None:
        """Remember one for some time, at the cost of those that are over, or of the oldest."""
        now = self._clock()
        over_at = now + max(seconds, _LEAST_SECONDS)
        if (known := self._revocations.pop(revocation.key, None)) is not None:
            revocation, over_at = _later(known[0], revocation), max(known[1], over_at)
        self._revocations[revocation.key] = revocation, over_at
        while len(self._revocations) > self._capacity or self._oldest_is_over_at() <= now:
            self._revocations.popitem(last=False)

    def covers(self, key: str, verdict: Verdict) -> bool:
        """Tell whether the token of the verdict is revoked under this key."""
        known = self._revocations.get(key)
        if known is None:
            return False
        issued_before, issued_at = known[0].issued_before, verdict.issued_at
        # A token that does not say when it was issued may be an old one.
        return issued_before is None or issued_at is None or issued_at <= issued_before

    def __len__(self) -> int:
        return len(self._revocations)

    def _oldest_is_over_at(self) -> float:
        return next(iter(self._revocations.values()))[1]


def _later(known: Revocation, new: Revocation) -> Revocation:
    # Messages and answers may arrive in another order than they were made in.
    if (known.issued_before or 0) > (new.issued_before or 0):
        return known
    return new
