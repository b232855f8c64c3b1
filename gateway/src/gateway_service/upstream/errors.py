"""The ways a forwarded request can fail before its answer has begun."""

from typing import ClassVar

from service_kit.edge_errors import RequestTimeoutError
from service_kit.errors import ServiceError, problem

RETRY_AFTER_SECONDS = 1


class BodyTooLargeError(ServiceError):
    """The client's body is longer than the gateway accepts."""

    status: ClassVar[int] = 413
    code: ClassVar[str] = "body_too_large"
    title: ClassVar[str] = "Body too large"

    def __init__(self, limit: int) -> None:
        super().__init__(f"The body must be at most {limit} bytes.")


class UpstreamUnavailableError(ServiceError):
    """No upstream could be reached, so nothing has been done: trying again is safe."""

    status: ClassVar[int] = 503
    code: ClassVar[str] = "upstream_unavailable"
    title: ClassVar[str] = "Service unavailable"

    def __init__(self, reason: str) -> None:
        super().__init__(reason, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})


class UpstreamTimeoutError(ServiceError):
    """An upstream took the request, and did not answer in time."""

    status: ClassVar[int] = 504
    code: ClassVar[str] = "upstream_timeout"
    title: ClassVar[str] = "Upstream timeout"


class UpstreamFailedError(ServiceError):
    """An upstream broke off or answered nonsense; it may have acted on the request."""

    status: ClassVar[int] = 502
    code: ClassVar[str] = "upstream_failed"
    title: ClassVar[str] = "Upstream failed"


class UpstreamHungUpError(UpstreamFailedError):
    """The connection ended before the answer did."""

    def __init__(self) -> None:
        super().__init__("The upstream closed the connection before the end of its answer.")


class ClientDisconnectedError(Exception):
    """The client hung up: there is nobody left to answer."""


FORWARDING_RESPONSES = problem(
    BodyTooLargeError,
    RequestTimeoutError,
    UpstreamUnavailableError,
    UpstreamTimeoutError,
    UpstreamFailedError,
)
