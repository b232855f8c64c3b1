"""The id of the request being served: taken from the caller when it is sane, else made up."""

from contextvars import ContextVar

HEADER = "x-request-id"

_current: ContextVar[str] = ContextVar("request_id", default="")


def current_request_id() -> str:
    """Return the id of the request being served, or "" outside one."""
    return _current.get()


def set_request_id(request_id: str) -> None:
    """Say which request is being served from here on."""
    _current.set(request_id)
