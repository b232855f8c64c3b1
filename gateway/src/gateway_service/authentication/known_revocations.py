"""The revocations a process knows of: looked up on every request, so without any I/O."""

from collections import OrderedDict
from dataclasses import dataclass

from pydantic import TypeAdapter

from gateway_service.authentication.verdicts import Verdict

_CAPACITY = 100_000


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
    """At most `capacity` of them: about 300 bytes each. Redis has all."""

    def __init__(self, capacity: int = _CAPACITY) -> None:
        self._capacity = capacity
        self._revocations: OrderedDict[str, Revocation] = OrderedDict()

    def add(self, revocation: Revocation, now: float) -> None:
        """Remember one, at the cost of those that are over, or of the oldest when full."""
        known = self._revocations.pop(revocation.key, None)
        self._revocations[revocation.key] = _later(known, revocation)
        while len(self._revocations) > self._capacity or self._oldest().until <= now:
            self._revocations.popitem(last=False)
            if not self._revocations:
                return

    def covers(self, key: str, verdict: Verdict) -> bool:
        """Tell whether the token of the verdict is revoked under this key."""
        revocation = self._revocations.get(key)
        if revocation is None:
            return False
        issued_before, issued_at = revocation.issued_before, verdict.issued_at
        # A token that does not say when it was issued may be an old one.
        return issued_before is None or issued_at is None or issued_at <= issued_before

    def __len__(self) -> int:
        return len(self._revocations)

    def _oldest(self) -> Revocation:
        return next(iter(self._revocations.values()))


def _later(known: Revocation | None, new: Revocation) -> Revocation:
    # Messages and answers may arrive in another order than they were made in.
    if known and (known.issued_before or 0) > (new.issued_before or 0):
        return known
    return new
