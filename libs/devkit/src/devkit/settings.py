"""What a developer may set in the environment for `make run` and `make token`."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from devkit.errors import DevkitError

_SHORTEST_SECRET = 32
_HIGHEST_PORT = 65_535


@dataclass(frozen=True, slots=True)
class Settings:
    """Where to serve and keep the data; `environment` holds what the services read themselves."""

    port: int
    data_dir: Path
    public_url: str
    database_url: str | None
    redis_url: str | None
    environment: Mapping[str, str]


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings; a variable that is set to nothing counts as missing.

    Raises `DevkitError` naming the variable that is wrong.
    """
    given = {name: value for name, value in environment.items() if value}
    port = _port(given.get("PORT", "8080"))
    for name in ("BETTER_AUTH_SECRET", "IDENTITY_KEY"):
        _check_secret(name, given.get(name))
    return Settings(
        port=port,
        data_dir=Path(given.get("DATA_DIR", ".data")).expanduser().absolute(),
        public_url=given.get("PUBLIC_URL", f"http://localhost:{port}"),
        database_url=given.get("DATABASE_URL"),
        redis_url=given.get("REDIS_URL"),
        environment=given,
    )


def _port(text: str) -> int:
    if text.isascii() and text.isdigit() and 0 < int(text) <= _HIGHEST_PORT:
        return int(text)
    raise DevkitError(f"PORT must be a number from 1 to {_HIGHEST_PORT}, not {text!r}.")


def _check_secret(name: str, value: str | None) -> None:
    # While secrets are being rotated there are two, the new one first.
    secrets = [] if value is None else value.split(",")
    if any(len(secret.encode()) < _SHORTEST_SECRET for secret in secrets):
        raise DevkitError(f"{name} is too short: it needs at least {_SHORTEST_SECRET} bytes.")
