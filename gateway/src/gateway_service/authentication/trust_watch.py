"""Whether verdicts remembered still hold: the verifier is asked what its verdicts rest on."""

import asyncio
from contextlib import AbstractAsyncContextManager, suppress

import structlog

from gateway_service.authentication.verdicts import Verdict
from gateway_service.authentication.verifier_client import VerifierClient
from gateway_service.errors import AuthUnavailableError
from service_kit.meanwhile import meanwhile

PERIOD_SECONDS = 5.0
# While verifiers disagree, having fetched keys at different times, each verdict is news.
_SHORTEST_PERIOD_SECONDS = 0.5

_logger = structlog.get_logger(__name__)


class TrustWatch:
    """Knows the verifier's trust as of the last few seconds. Use inside `async with kept_up()`."""

    def __init__(self, verifier: VerifierClient, period: float = PERIOD_SECONDS) -> None:
        self._verifier = verifier
        self._period = period
        self._version: str | None = None
        self._news = asyncio.Event()

    def holds(self, verdict: Verdict) -> bool:
        """Tell whether a verdict rests on what the verifier trusts now.

        Before the verifier has said what that is, and while it does not answer, the verdicts
        there are hold until they end by themselves.
        """
        return self._version is None or verdict.trust_version == self._version

    def notice(self, verdict: Verdict) -> None:
        """Look anew at once if a fresh verdict rests on something else."""
        if not self.holds(verdict):
            self._news.set()

    def kept_up(self) -> AbstractAsyncContextManager[None]:
        """Look every few seconds, off the path of any request."""
        return meanwhile(self._look_forever())

    async def _look_forever(self) -> None:
        while True:
            self._news.clear()
            with suppress(AuthUnavailableError):
                self._set(await self._verifier.trust_version())
            shortest = min(self._period, _SHORTEST_PERIOD_SECONDS)
            await asyncio.sleep(shortest)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._period - shortest):
                    await self._news.wait()

    def _set(self, version: str) -> None:
        if self._version not in {None, version}:
            _logger.info("verdicts_dropped", why="the verifier's keys or settings have changed")
        self._version = version
