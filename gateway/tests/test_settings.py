"""A mistake in the environment stops the start with one line that names it."""

import os
import subprocess
import sys

import pytest

from gateway_service.main import create_app
from gateway_service.settings import Settings
from gateway_service.upstream.timeouts import UpstreamTimeouts

GOOD = {
    "TASKS_URL": "http://tasks:8000",
    "AUTH_VERIFIER_URL": "http://auth-verifier:8000",
    "REDIS_URL": "redis://:hidden-word@redis:6379/0",
    "IDENTITY_KEY": "hidden-key-" * 4,
    "CORS_ORIGINS": "https://app.example.com",
}
KEY = GOOD["IDENTITY_KEY"]
MISTAKES = [
    *((name, None) for name in GOOD if name != "CORS_ORIGINS"),
    *((name, "") for name in GOOD if name != "CORS_ORIGINS"),
    ("TASKS_URL", "tasks:8000"),
    ("TASKS_URL", "https://tasks:8000"),
    ("TASKS_URL", "http://tasks:8000/api"),
    ("TASKS_URL", "http://tasks:eight"),
    ("TASKS_URL", "http://"),
    ("AUTH_VERIFIER_URL", "http://user@auth:8000"),
    ("AUTH_VERIFIER_URL", "http://auth:8000?x"),
    ("AUTH_VERIFIER_URL", "http://auth :8000"),
    ("REDIS_URL", "http://:hidden-word@redis"),
    ("REDIS_URL", "redis:6379"),
    ("REDIS_URL", "redis://:hidden-word@redis:port/0"),
    ("IDENTITY_KEY", "hidden-short"),
    ("IDENTITY_KEY", KEY + "\n"),
    ("IDENTITY_KEY", f'"{KEY}"'),
    ("IDENTITY_KEY", f"{KEY}, {KEY}"),
    ("IDENTITY_KEY", f"{KEY},"),
    ("CORS_ORIGINS", "*"),
    ("CORS_ORIGINS", "app.example.com"),
    ("CORS_ORIGINS", "https://app.example.com/"),
    ("CORS_ORIGINS", "https://app.example.com/app"),
    ("CORS_ORIGINS", "https://App.example.com"),
    ("CORS_ORIGINS", "https://app.example.com:443"),
    ("CORS_ORIGINS", "http://app.example.com:80"),
    ("CORS_ORIGINS", "https://*.example.com"),
    ("CORS_ORIGINS", "https://a.example, https://b.example"),
    ("CORS_ORIGINS", "https://a.example,"),
    ("CORS_ORIGINS", "null"),
    ("PUBLIC_URL", "https://tasks.example.com/path"),
    ("BETTER_AUTH_COOKIE_PREFIX", "better auth"),
    ("BETTER_AUTH_COOKIE_PREFIX", "better-auth."),
    ("BETTER_AUTH_COOKIE_PREFIX", "a=b"),
    ("TRUSTED_PROXIES", "10.0.0.0/8,proxy"),
    ("TRUSTED_PROXIES", "10.0.0.1/8"),
    ("TRUSTED_PROXIES", "10.0.0.1,"),
    ("UNKNOWN_REVOCATION", "maybe"),
    ("METRICS_PORT", "0"),
    ("METRICS_PORT", "65536"),
    ("METRICS_PORT", "nine"),
    ("VERDICT_TTL_SECONDS", "31"),
    ("VERDICT_TTL_SECONDS", "0"),
    ("UPSTREAM_CONNECT", "0"),
    ("UPSTREAM_ANSWER_HEAD", "soon"),
]


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.mark.spec("GW-20")
@pytest.mark.parametrize(("name", "value"), MISTAKES)
def test_a_mistake_is_named_in_one_line_without_secrets(
    environment: pytest.MonkeyPatch, name: str, value: str | None
) -> None:
    if value is None:
        environment.delenv(name)
    else:
        environment.setenv(name, value)

    with pytest.raises(SystemExit) as stopped:
        create_app()

    line = str(stopped.value.code)
    assert line.startswith(f"gateway: refusing to start: {name}: ")
    assert "\n" not in line
    assert "hidden" not in line


@pytest.mark.spec("GW-20")
def test_the_process_ends_with_that_line_alone() -> None:
    command = [sys.executable, "-m", "uvicorn", "--factory", "gateway_service.main:create_app"]
    environment = {**os.environ, **GOOD, "IDENTITY_KEY": "hidden-short", "CORS_ORIGINS": "*"}

    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=False
    )

    [line] = done.stderr.splitlines()
    assert done.returncode == 1
    assert line.startswith("gateway: refusing to start: IDENTITY_KEY: ")
    assert "; CORS_ORIGINS: " in line


def test_every_limit_of_a_forwarded_request_can_be_set(environment: pytest.MonkeyPatch) -> None:
    names = UpstreamTimeouts.__dataclass_fields__
    for seconds, name in enumerate(names, start=1):
        environment.setenv(f"UPSTREAM_{name.upper()}", str(seconds))

    timeouts = Settings().upstream_timeouts

    assert [getattr(timeouts, name) for name in names] == list(range(1, len(names) + 1))


def test_a_slash_after_a_host_is_forgiven(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TASKS_URL", "http://tasks:8000/")

    assert Settings().tasks_url == "http://tasks:8000"
