"""What traces cost a system that records none."""

import os
import secrets
import subprocess
import sys

import pytest

PROGRAM = """
import sys
import auth_verifier.main, gateway_service.main, tasks_service.main
for service in (auth_verifier, gateway_service, tasks_service):
    service.main.create_app()
costly = ("opentelemetry.sdk.trace", "opentelemetry.exporter", "google.protobuf", "requests")
print(sorted(name for name in sys.modules if name.startswith(costly)))
"""


@pytest.mark.spec("OBS-13")
@pytest.mark.parametrize(
    ("variables", "imported"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_TRACES_SAMPLER": ""}, True),
    ],
)
def test_what_records_and_sends_is_imported_only_where_traces_are_wanted(
    variables: dict[str, str], imported: bool
) -> None:
    secret = secrets.token_hex(32)
    settings = {
        "BETTER_AUTH_SECRET": secret,
        "IDENTITY_KEY": secret,
        "TASKS_URL": "http://tasks:8000",
        "AUTH_VERIFIER_URL": "http://verifier:8000",
        "REDIS_URL": "redis://redis:6379/0",
        "DATABASE_URL": "postgresql://u:p@postgres/taskgate",
    }

    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={"PATH": os.environ["PATH"], **settings, **variables},
        check=True,
        capture_output=True,
        text=True,
    )

    assert (done.stdout.strip() != "[]") is imported
    assert done.stderr == ""
