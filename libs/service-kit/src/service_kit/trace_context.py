"""W3C Trace Context: which trace a request belongs to, read from its headers or begun."""

import re
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from typing import Protocol, TypeAlias

Header: TypeAlias = tuple[bytes, bytes]

TRACEPARENT = b"traceparent"
TRACESTATE = b"tracestate"
# https://www.w3.org/TR/trace-context/#traceparent-header: later versions may add to it.
_TRACEPARENT = re.compile(
    rb"(?:00|(?!ff)[0-9a-f]{2}(?=.{53}(?:-|$)))"
    rb"-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?P<more>-.*)?"
)
# Whoever sends more than this much of a vendor's state has it cut off there by the standard.
_MAX_STATE_BYTES = 512
_NOT_SAMPLED = "00"
_NOTHING = nullcontext()


class Span(Protocol):
    """What happens as part of a trace that is recorded."""

    def child(self, trace: "Trace", name: str) -> AbstractContextManager[None]:
        """Record a step within this one for the length of the block."""


class Trace:
    """A trace, and the span within it that what is done next belongs to.

    `span` is None unless traces are recorded here.
    """

    __slots__ = ("flags", "is_remote", "span", "span_id", "state", "trace_id")

    def __init__(  # noqa: PLR0913 - what the two headers hold.
        self,
        trace_id: str,
        span_id: str,
        *,
        flags: str = _NOT_SAMPLED,
        state: bytes = b"",
        is_remote: bool = False,
        span: Span | None = None,
    ) -> None:
        self.trace_id = trace_id
        self.span_id = span_id
        self.flags = flags
        self.state = state
        self.is_remote = is_remote
        self.span = span

    def headers(self) -> tuple[Header, ...]:
        """Return what tells the service behind."""
        parent = TRACEPARENT, f"00-{self.trace_id}-{self.span_id}-{self.flags}".encode()
        return (parent, (TRACESTATE, self.state)) if self.state else (parent,)


current_trace: ContextVar[Trace | None] = ContextVar("trace", default=None)


def offered_trace(parents: Sequence[bytes], states: Sequence[bytes]) -> Trace | None:
    """Return the trace that the values of `traceparent` and `tracestate` name, if they do."""
    found = _TRACEPARENT.fullmatch(parents[0]) if len(parents) == 1 else None
    if found is None or (found["more"] and parents[0].startswith(b"00")):
        return None
    trace_id, span_id, flags = (str(part, "ascii") for part in found.group(1, 2, 3))
    state = b",".join(states)
    kept = state if len(state) <= _MAX_STATE_BYTES and state.isascii() else b""
    return Trace(trace_id, span_id, flags=flags, state=kept, is_remote=True)


def traced(name: str) -> AbstractContextManager[None]:
    """Record the block as a step of the current request, if traces are recorded."""
    trace = current_trace.get()
    if trace is None or trace.span is None:
        return _NOTHING
    return trace.span.child(trace, name)


def outgoing_trace() -> tuple[Header, ...]:
    """Return the headers that tell a service behind which trace its request belongs to."""
    trace = current_trace.get()
    return trace.headers() if trace else ()
