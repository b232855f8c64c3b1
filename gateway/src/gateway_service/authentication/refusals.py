"""What becomes known of those who were not let in: a line in the log, and a count."""

from collections.abc import Sequence

import structlog
from starlette.types import Scope

from gateway_service.authentication.credentials import Credential
from gateway_service.client_address import Network, client_address
from gateway_service.errors import RefusalError
from gateway_service.metrics import Metrics

_HASH_PREFIX = 12

_logger = structlog.get_logger(__name__)


class Refusals:
    """Tells of refusals; never of the credential more than its kind and a prefix of its hash."""

    def __init__(self, metrics: Metrics, trusted_proxies: Sequence[Network]) -> None:
        self._metrics = metrics
        self._trusted_proxies = trusted_proxies

    def report(self, error: RefusalError, scope: Scope, credential: Credential | None) -> None:
        """Tell of one."""
        self._metrics.count_refusal(error.cause.reason)
        _logger.warning(
            "token_refused",
            code=error.code,
            reason=error.cause.reason,
            issuer=error.cause.issuer,
            kid=error.cause.kid,
            client=client_address(scope, self._trusted_proxies),
            credential=credential.kind if credential else None,
            token_hash=credential.digest[:_HASH_PREFIX] if credential else None,
        )
