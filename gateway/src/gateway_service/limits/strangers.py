"""Limits for those whom the gateway does not know: by the address they come from."""

from collections.abc import Sequence

from starlette.types import Scope

from gateway_service.client_address import Network, client_address, neighbourhood
from gateway_service.errors import RefusalError, TokenRefusedError
from gateway_service.limits.limiter import Limiter

_SERVER_ERROR = 500


class Strangers:
    """Counts what an address asks for in nobody's name, and how often it is refused."""

    def __init__(
        self,
        address: Limiter | None,
        failures: Limiter | None,
        trusted_proxies: Sequence[Network],
    ) -> None:
        self._address = address
        self._failures = failures
        self._trusted_proxies = trusted_proxies

    async def admit(self, scope: Scope) -> None:
        """Count a request in nobody's name. Raises `RateLimitedError`."""
        if self._address is not None:
            await self._address.spend(self._whence(scope))

    def check(self, scope: Scope) -> None:
        """Raise `RateLimitedError` if no more credentials are looked at from there."""
        if self._failures is not None:
            self._failures.check(self._whence(scope))

    async def count_refusal(self, error: RefusalError, scope: Scope) -> None:
        """Count a request that was let in by nothing. Raises `RateLimitedError`."""
        if not isinstance(error, TokenRefusedError):
            # A 503 is nobody's fault who asks.
            if error.status < _SERVER_ERROR:
                await self.admit(scope)
        elif self._failures is not None:
            await self._failures.spend(self._whence(scope))

    async def aclose(self) -> None:
        """End what goes on in the background."""
        for limiter in (self._address, self._failures):
            if limiter is not None:
                await limiter.aclose()

    def _whence(self, scope: Scope) -> str:
        return neighbourhood(client_address(scope, self._trusted_proxies))
