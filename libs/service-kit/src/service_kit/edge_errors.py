"""The ways a request is refused before anybody looks at what it says."""

from typing import ClassVar

from service_kit.errors import ServiceError, problem


class MalformedRequestError(ServiceError):
    """What arrived is not HTTP to the letter, and nothing is guessed."""

    status: ClassVar[int] = 400
    code: ClassVar[str] = "malformed_request"
    title: ClassVar[str] = "Malformed request"

    def __init__(self) -> None:
        super().__init__("This is no HTTP/1.1 request as RFC 9112 has it.")


class TargetTooLongError(ServiceError):
    """Path and query are longer than anything we serve."""

    status: ClassVar[int] = 414
    code: ClassVar[str] = "target_too_long"
    title: ClassVar[str] = "Target too long"

    def __init__(self) -> None:
        super().__init__("Path and query must have at most 8192 bytes together.")


class HeadersTooLargeError(ServiceError):
    """The headers are too many, or too long together."""

    status: ClassVar[int] = 431
    code: ClassVar[str] = "headers_too_large"
    title: ClassVar[str] = "Headers too large"

    def __init__(self) -> None:
        super().__init__(
            "A request may have 100 headers and 32 KiB of them at most, cookies included."
        )


class RequestTimeoutError(ServiceError):
    """The client did not send its request in time."""

    status: ClassVar[int] = 408
    code: ClassVar[str] = "request_timeout"
    title: ClassVar[str] = "Request timeout"


# What any request may be answered with, whatever it asks for.
EDGE_RESPONSES = problem(
    MalformedRequestError, TargetTooLongError, HeadersTooLargeError, RequestTimeoutError
)
