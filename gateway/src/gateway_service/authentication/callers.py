"""The callers of the last seconds, in process: the layer that most requests need no other."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from gateway_service.authentication.credentials import Credential
from gateway_service.authentication.trust_watch import TrustWatch
from gateway_service.authentication.verdicts import Verdict
from gateway_service.metrics import Metrics
from gateway_service.upstream.request import Header
from service_kit.identity import sign_identity

AUDIENCE = "tasks"
IDENTITY_SECONDS = 60
MEMORY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom a token stands for, with the signed headers that say so to the services behind."""

    verdict: Verdict
    identity_headers: tuple[Header, ...]
    known_since: float
    known_until: float


class Callers:
    """At most `capacity` of them; `key` signs the identities that are passed on."""

    def __init__(
        self,
        capacity: int,
        *,
        key: bytes,
        trust: TrustWatch,
        metrics: Metrics,
        clock: Callable[[], float],
    ) -> None:
        self._capacity = capacity
        self._key = key
        self._trust = trust
        self._metrics = metrics
        self._clock = clock
        self._callers: OrderedDict[str, Caller] = OrderedDict()

    def get(self, credential: Credential) -> Caller | None:
        """Return the caller, unless what is known has gone stale."""
        caller = self._callers.get(credential.key)
        # A clock that was set back must not prolong what is remembered.
        if (
            caller is not None
            and caller.known_since <= self._clock() < caller.known_until
            and self._trust.holds(caller.verdict)
        ):
            self._metrics.count_remembered()
            return caller
        self._metrics.count_forgotten()
        return None

    def put(self, credential: Credential, verdict: Verdict) -> Caller:
        """Remember a caller, at the cost of the one remembered longest when full."""
        caller = self._introduced(verdict)
        self._callers.pop(credential.key, None)
        self._callers[credential.key] = caller
        if len(self._callers) > self._capacity:
            # All live equally long, so the oldest is also the next to go stale.
            self._callers.popitem(last=False)
        self._metrics.show_entries(len(self._callers))
        return caller

    def _introduced(self, verdict: Verdict) -> Caller:
        now = self._clock()
        # Signed once for as long as the caller is remembered, which is far less than it is valid.
        signed = sign_identity(
            verdict.user_id,
            key=self._key,
            audience=AUDIENCE,
            expires_at=int(now) + IDENTITY_SECONDS,
        )
        headers = tuple((name.encode(), value.encode()) for name, value in signed.items())
        return Caller(verdict, headers, now, min(now + MEMORY_SECONDS, verdict.stale_at))
