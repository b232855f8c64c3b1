"""Whether traces are recorded: they are where OpenTelemetry's own variables say where to."""

import os
from collections.abc import Mapping

from service_kit.observed import Observer

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


def is_traced(environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether spans are to be sent somewhere."""
    return (
        any(environment.get(name) for name in _ENDPOINTS)
        and environment.get("OTEL_SDK_DISABLED", "").lower() != "true"
        and environment.get("OTEL_TRACES_EXPORTER", "otlp") in {"", "otlp"}
    )


def tracers(service: str) -> list[Observer]:
    """Return what records the traces of a service's requests; nothing if none are wanted."""
    if not is_traced():
        return []
    # The SDK takes memory and a moment at the start, which others need not spend.
    from service_kit.recording import Recorder  # noqa: PLC0415

    return [Recorder(service)]
