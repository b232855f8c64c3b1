"""Where the verdict on a token comes from, and whether it still lets in."""

from collections.abc import Callable
from typing import TypeAlias

from gateway_service.authentication.credentials import Credential, check_form
from gateway_service.authentication.revocations import Revocations
from gateway_service.authentication.single_flight import SingleFlight
from gateway_service.authentication.trust_watch import TrustWatch
from gateway_service.authentication.verdict_store import VerdictStore
from gateway_service.authentication.verdicts import Verdict
from gateway_service.authentication.verifier_client import VerifierClient
from service_kit.observed import Verdict as FoundIn

Found: TypeAlias = tuple[Verdict, FoundIn]


class VerdictSource:
    """Asks Redis first and the verifier else, once for however many ask at the same time."""

    def __init__(
        self,
        *,
        store: VerdictStore,
        verifier: VerifierClient,
        trust: TrustWatch,
        revocations: Revocations,
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._verifier = verifier
        self._trust = trust
        self._revocations = revocations
        self._clock = clock
        self._flights: SingleFlight[Found] = SingleFlight()

    async def get(self, credential: Credential) -> Found:
        """Return the verdict on a token and where it was found.

        Its revocation, if there is one, is known afterwards.

        Raises a `TokenRefusedError` or `AuthUnavailableError`.
        """
        token = check_form(credential)
        return await self._flights.run(credential.key, lambda: self._look_up(credential, token))

    def check(self, verdict: Verdict) -> None:
        """Raise a `TokenRefusedError` if the token is over by now, or known to be revoked."""
        verdict.check_times(self._clock())
        self._revocations.check(verdict)

    async def learn(self, *verdicts: Verdict) -> None:
        """Ask what became of verdicts in use, so that `check` knows.

        Raises `AuthUnavailableError` if nobody can tell and the unknown are refused.
        """
        await self._revocations.learn(*verdicts)

    def holds(self, verdict: Verdict) -> bool:
        """Tell whether a verdict in use rests on what the verifier trusts now."""
        return self._trust.holds(verdict)

    async def aclose(self) -> None:
        """End the verifications under way."""
        await self._flights.aclose()

    async def _look_up(self, credential: Credential, token: str) -> Found:
        found: FoundIn = "redis"
        verdict = await self._store.get(credential, self._clock())
        if verdict is None or not self._trust.holds(verdict):
            found = "verifier"
            # The time before asking: a verdict is never older than it says.
            verdict = await self._verifier.verify(token, credential.kind, self._clock())
            self._trust.notice(verdict)
            await self._store.put(credential, verdict)
        await self._revocations.learn(verdict)
        return verdict, found
