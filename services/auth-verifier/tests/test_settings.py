"""The environment: what is derived from it, and which mistakes stop the start."""

import os
import subprocess
import sys
from typing import Any

import pytest

from auth_verifier.issuers import better_auth, jwks_url, origin_of
from auth_verifier.settings import Settings
from service_kit.settings import load_settings

SECRET = "s" * 32
URL = "https://app.example.com"


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def read(monkeypatch: pytest.MonkeyPatch, **environment: str) -> Settings:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return load_settings(Settings, "auth-verifier")


NOTHING: dict[str, str] = {}
MISTAKES = [
    (NOTHING, "BETTER_AUTH_URL, BETTER_AUTH_SECRET, BETTER_AUTH_JWKS_URL or AUTH_ISSUERS_FILE"),
    ({"BETTER_AUTH_SECRET": "", "BETTER_AUTH_URL": ""}, "BETTER_AUTH_SECRET"),
    ({"BETTER_AUTH_SECRET": "s" * 31}, "BETTER_AUTH_SECRET: each secret"),
    ({"BETTER_AUTH_SECRET": f"{SECRET},short"}, "BETTER_AUTH_SECRET: each secret"),
    ({"BETTER_AUTH_SECRET": f"{SECRET},"}, "BETTER_AUTH_SECRET: each secret"),
    ({"BETTER_AUTH_SECRET": f"{SECRET}\n"}, "BETTER_AUTH_SECRET: has white space"),
    ({"BETTER_AUTH_SECRET": f" {SECRET}"}, "BETTER_AUTH_SECRET: has white space"),
    ({"BETTER_AUTH_SECRET": f"{SECRET}, {SECRET}"}, "BETTER_AUTH_SECRET: has white space"),
    ({"BETTER_AUTH_SECRET": f'"{SECRET}"'}, "BETTER_AUTH_SECRET: has white space or quotes"),
    (
        {"BETTER_AUTH_SECRET": f"'{SECRET},{SECRET}'"},
        "BETTER_AUTH_SECRET: has white space or quotes",
    ),
    ({"BETTER_AUTH_URL": "app.example.com"}, "BETTER_AUTH_URL: must be a URL"),
    ({"BETTER_AUTH_URL": "localhost:3000"}, "BETTER_AUTH_URL: must be a URL"),
    ({"BETTER_AUTH_URL": "ftp://app.example.com"}, "BETTER_AUTH_URL: must be a URL"),
    ({"BETTER_AUTH_URL": "https://"}, "BETTER_AUTH_URL: must be a URL"),
    ({"BETTER_AUTH_URL": "https://:3000"}, "BETTER_AUTH_URL: must be a URL"),
    ({"BETTER_AUTH_URL": "https://app.example.com:"}, "BETTER_AUTH_URL: must be a URL"),
    ({"BETTER_AUTH_URL": "https://app.example.com:70000"}, "BETTER_AUTH_URL: must be a URL"),
    ({"BETTER_AUTH_URL": "https://[::1"}, "BETTER_AUTH_URL: must be a URL"),
    ({"BETTER_AUTH_URL": f" {URL}"}, "BETTER_AUTH_URL: must be a URL"),
    ({"BETTER_AUTH_URL": f"{URL}\n"}, "BETTER_AUTH_URL: must be a URL"),
    ({"BETTER_AUTH_URL": "https://me:pw@app.example.com"}, "BETTER_AUTH_URL: must be a URL"),
    ({"BETTER_AUTH_URL": f"{URL}#a"}, "BETTER_AUTH_URL: must be a URL"),
    ({"BETTER_AUTH_URL": f"{URL}?a=b"}, "BETTER_AUTH_URL: must have no query"),
    ({"BETTER_AUTH_URL": URL, "BETTER_AUTH_JWKS_URL": "/jwks"}, "BETTER_AUTH_JWKS_URL: must be"),
    ({"BETTER_AUTH_JWKS_URL": URL}, "BETTER_AUTH_JWKS_URL also needs BETTER_AUTH_URL"),
    ({"BETTER_AUTH_JWKS_URL": URL, "BETTER_AUTH_ISSUERS": URL}, "BETTER_AUTH_AUDIENCES"),
    ({"BETTER_AUTH_SECRET": SECRET, "AUTH_MAX_TOKEN_LIFETIME": "0"}, "AUTH_MAX_TOKEN_LIFETIME"),
    ({"BETTER_AUTH_SECRET": SECRET, "AUTH_MAX_TOKEN_LIFETIME": "8d"}, "AUTH_MAX_TOKEN_LIFETIME"),
    ({"BETTER_AUTH_SECRET": SECRET, "LOG_LEVEL": "loud"}, "LOG_LEVEL"),
]


@pytest.mark.spec("AUTH-17")
@pytest.mark.parametrize(("environment", "naming"), MISTAKES)
def test_a_mistake_stops_the_start_with_one_line_that_names_it(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], naming: str
) -> None:
    with pytest.raises(SystemExit) as stopped:
        read(monkeypatch, **environment)

    line = str(stopped.value.code)
    assert line.startswith("auth-verifier: refusing to start: ")
    assert naming in line
    assert "\n" not in line
    assert "ssss" not in line


@pytest.mark.spec("AUTH-17")
@pytest.mark.parametrize(
    "environment",
    [
        {"BETTER_AUTH_SECRET": SECRET},
        {"BETTER_AUTH_SECRET": "\u00fc" * 16},
        {"BETTER_AUTH_SECRET": f"{SECRET},{'t' * 32}"},
        {"BETTER_AUTH_URL": URL},
        {"BETTER_AUTH_URL": "http://[::1]:3000/auth"},
        {"BETTER_AUTH_URL": URL, "BETTER_AUTH_JWKS_URL": "http://web:3000/api/auth/jwks?a=b"},
        {
            "BETTER_AUTH_JWKS_URL": URL,
            "BETTER_AUTH_ISSUERS": URL,
            "BETTER_AUTH_AUDIENCES": "tasks",
        },
    ],
)
def test_one_source_of_trust_is_enough(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    settings = read(monkeypatch, **environment)

    assert settings.better_auth_secret or jwks_url(settings)


@pytest.mark.spec("AUTH-17")
def test_the_program_ends_with_that_line_and_nothing_else() -> None:
    clean = {name: value for name, value in os.environ.items() if "AUTH" not in name}

    done = subprocess.run(
        [sys.executable, "-c", "from auth_verifier.main import create_app; create_app()"],
        env={**clean, "BETTER_AUTH_SECRET": "too-short"},
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )

    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("auth-verifier: refusing to start: BETTER_AUTH_SECRET: ")


@pytest.mark.spec("AUTH-17")
def test_no_secret_shows_in_the_settings_or_the_issuer(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(monkeypatch, BETTER_AUTH_SECRET=SECRET)

    assert SECRET not in f"{settings!r} {settings} {better_auth(settings, None)}"


@pytest.mark.spec("AUTH-12")
@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({"better_auth_secret": SECRET}, None),
        ({"better_auth_url": URL}, f"{URL}/api/auth/jwks"),
        ({"better_auth_url": f"{URL}/"}, f"{URL}/api/auth/jwks"),
        ({"better_auth_url": f"{URL}/api/auth"}, f"{URL}/api/auth/jwks"),
        ({"better_auth_url": f"{URL}/auth/"}, f"{URL}/auth/jwks"),
        ({"better_auth_url": URL, "better_auth_jwks_url": "http://web/keys"}, "http://web/keys"),
    ],
)
def test_the_address_of_the_keys_follows_from_the_settings(
    settings: dict[str, Any], url: str | None
) -> None:
    assert jwks_url(Settings.model_validate(settings)) == url


@pytest.mark.spec("AUTH-8", "AUTH-9")
@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://app.example.com/api/auth", "https://app.example.com"),
        ("HTTPS://App.Example.com:443/", "https://app.example.com"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://localhost:80", "http://localhost"),
        ("https://localhost:80", "https://localhost:80"),
        ("http://[::1]:3000/x", "http://[::1]:3000"),
    ],
)
def test_an_origin_is_written_as_browsers_write_it(url: str, origin: str) -> None:
    assert origin_of(url) == origin
