"""From a request to its caller."""

from starlette.types import Scope

from gateway_service.authentication.callers import Caller, Callers
from gateway_service.authentication.credentials import Credential
from gateway_service.authentication.door import Door
from gateway_service.authentication.refusals import Refusals
from gateway_service.authentication.verdict_source import VerdictSource
from gateway_service.errors import RefusalError
from gateway_service.limits.strangers import Strangers
from service_kit.observed import record_of


class Authenticator:
    """Tells who is calling, and tells of whom it does not let in."""

    def __init__(
        self,
        *,
        door: Door,
        callers: Callers,
        source: VerdictSource,
        refusals: Refusals,
        strangers: Strangers,
    ) -> None:
        self._door = door
        self._callers = callers
        self._source = source
        self._refusals = refusals
        self._strangers = strangers

    async def authenticate(self, scope: Scope) -> Caller:
        """Return the caller that the credential in the request's headers stands for.

        Raises a `RefusalError`, or `RateLimitedError` in the place of one too many.
        """
        credential: Credential | None = None
        record = record_of(scope)
        try:
            credential = self._door.credential_of(scope)
            caller = self._callers.get(credential)
            record.verdict = "memory"
            if caller is None:
                self._strangers.check(scope)
                verdict, record.verdict = await self._source.get(credential)
                caller = self._callers.put(credential, verdict)
            self._source.check(caller.verdict)
        except RefusalError as error:
            self._refusals.report(error, scope, credential)
            await self._strangers.count_refusal(error, scope)
            raise
        return caller
