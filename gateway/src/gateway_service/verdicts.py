"""What is known about a token, and the layer in process that remembers it for seconds."""

from collections import OrderedDict
from dataclasses import dataclass

from pydantic import TypeAdapter

from gateway_service.errors import TokenExpiredError, TokenInvalidError
from gateway_service.upstream.request import Header

MEMORY_SECONDS = 5.0
# The verifier's own tolerance for the clock of the issuer.
_LEEWAY_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verifier's word on a good token; times are Unix seconds."""

    user_id: str
    issuer: str
    expires_at: int
    not_before: int | None
    verified_at: float


VERDICTS = TypeAdapter(Verdict)


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom a token stands for, with the signed headers that say so to the services behind."""

    verdict: Verdict
    identity_headers: tuple[Header, ...]
    known_since: float
    known_until: float

    def check_times(self, now: float) -> None:
        """Raise `TokenExpiredError` or `TokenInvalidError` if the token is not good at `now`."""
        if self.verdict.expires_at <= now:
            raise TokenExpiredError("The token has expired: get a new one where users sign in.")
        not_before = self.verdict.not_before
        if not_before is not None and not_before > now + _LEEWAY_SECONDS:
            raise TokenInvalidError("The token is not valid yet: its `nbf` lies in the future.")


class CallerMemory:
    """The callers of the last seconds by the SHA-256 of their token, at most `capacity` of them."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._callers: OrderedDict[bytes, Caller] = OrderedDict()

    def get(self, digest: bytes, now: float) -> Caller | None:
        """Return the caller unless the memory has gone stale."""
        caller = self._callers.get(digest)
        # A clock that was set back must not prolong what is remembered.
        if caller is not None and caller.known_since <= now < caller.known_until:
            return caller
        return None

    def put(self, digest: bytes, caller: Caller) -> None:
        """Remember a caller, at the cost of the one remembered longest when full."""
        self._callers.pop(digest, None)
        self._callers[digest] = caller
        if len(self._callers) > self._capacity:
            # All live equally long, so the oldest is also the next to go stale.
            self._callers.popitem(last=False)

    def __len__(self) -> int:
        return len(self._callers)
