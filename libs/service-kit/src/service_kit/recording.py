"""Traces, recorded by OpenTelemetry's SDK and sent by OTLP over HTTP (only imported if wanted)."""

import asyncio
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from opentelemetry import trace as api
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode
from starlette.types import Scope

from service_kit.observed import Record
from service_kit.trace_context import Trace, current_trace

_LAST_SECONDS = 3.0
_FIRST_SERVER_ERROR = 500


class Recorder:
    """Records a span for each request of a service, and sends it from a thread of its own.

    Spans are dropped when they come faster than they can be sent.
    """

    def __init__(self, service: str) -> None:
        # To the SDK a variable that is set to nothing is a mistake; to us it is not set.
        for name in [name for name in os.environ if name.startswith("OTEL_")]:
            if not os.environ[name]:
                del os.environ[name]
        name = os.environ.get("OTEL_SERVICE_NAME", f"taskgate-{service}")
        self._provider = TracerProvider(
            resource=Resource.create({SERVICE_NAME: name}), shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("taskgate")

    def begin(self, record: Record) -> None:
        """Begin the span of a request, under the one its client names."""
        trace = record.trace
        parent = _context(trace) if trace.is_remote else Context()
        span = self._tracer.start_span(record.method, parent, SpanKind.SERVER)
        record.trace = _within(trace, _Span(span, self._tracer))

    def end(self, record: Record, _scope: Scope) -> None:
        """End it."""
        if not isinstance(record.trace.span, _Span):
            return
        span = record.trace.span.inner
        span.update_name(f"{record.method} {record.route}")
        span.set_attributes(
            {
                "http.request.method": record.method,
                "http.route": record.route,
                "taskgate.outcome": record.outcome or "",
                "taskgate.request_id": record.request_id,
            }
        )
        if record.status is not None:
            span.set_attribute("http.response.status_code", record.status)
        if record.verdict is not None:
            span.set_attribute("taskgate.verdict", record.verdict)
        if record.outcome != "answered" or (record.status or 0) >= _FIRST_SERVER_ERROR:
            span.set_status(StatusCode.ERROR)
        span.end()

    async def aclose(self) -> None:
        """Send what is left, but wait for no collector that is away."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_SECONDS):
                await asyncio.to_thread(self._provider.shutdown)


class _Span:
    """A span of the SDK, with what makes others within it."""

    def __init__(self, inner: api.Span, tracer: api.Tracer) -> None:
        self.inner = inner
        self._tracer = tracer

    @contextmanager
    def child(self, trace: Trace, name: str) -> Iterator[None]:
        """Record a step within this one for the length of the block."""
        span = self.started(name, {})
        token = current_trace.set(_within(trace, _Span(span, self._tracer)))
        try:
            yield
        except BaseException:
            span.set_status(StatusCode.ERROR)
            raise
        finally:
            current_trace.reset(token)
            span.end()

    def started(
        self, name: str, attributes: Mapping[str, str], start_time: int | None = None
    ) -> api.Span:
        """Begin a span within this one, for the caller to end."""
        return self._tracer.start_span(
            name,
            api.set_span_in_context(self.inner, Context()),
            SpanKind.CLIENT,
            attributes,
            start_time=start_time,
        )


def started(name: str, attributes: Mapping[str, str], start_time: int | None = None) -> api.Span:
    """Begin a step of the current request, for the caller to end; nothing outside of one.

    `start_time` is in nanoseconds since 1970, if it lies in the past.
    """
    trace = current_trace.get()
    if trace is None or not isinstance(trace.span, _Span):
        return api.INVALID_SPAN
    return trace.span.started(name, attributes, start_time)


def _within(trace: Trace, span: _Span) -> Trace:
    context = span.inner.get_span_context()
    return Trace(
        f"{context.trace_id:032x}",
        f"{context.span_id:016x}",
        flags=f"{int(context.trace_flags):02x}",
        state=trace.state,
        span=span,
    )


def _context(trace: Trace) -> Context:
    parent = api.SpanContext(
        int(trace.trace_id, 16),
        int(trace.span_id, 16),
        is_remote=True,
        trace_flags=api.TraceFlags(int(trace.flags, 16)),
        trace_state=api.TraceState.from_header([trace.state.decode()]),
    )
    return api.set_span_in_context(api.NonRecordingSpan(parent), Context())
