"""The file of variables that compose reads: `.env`, or what COMPOSE_ENV_FILES names."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

_SECRETS = (
    "IDENTITY_KEY",
    "BETTER_AUTH_SECRET",
    "DATABASE_PASSWORD",
    "POSTGRES_PASSWORD",
    "REDIS_PASSWORD",
    "GRAFANA_PASSWORD",
)
_HEADING = (
    "# Written by make up. PostgreSQL knows its passwords: keep this file as long as its volume.\n"
    "# .env.example tells what else may stand here.\n"
)


def env_file(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the file compose reads; of several the first."""
    return Path(environment.get("COMPOSE_ENV_FILES", "").split(",")[0] or ".env")


def write_secrets(path: Path) -> bool:
    """Write random secrets to a file that only its owner can read; False if there is one."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(_HEADING)
        file.writelines(f"{name}={secrets.token_hex(32)}\n" for name in _SECRETS)
    return True


def read_variables(path: Path, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables as compose takes them: the environment goes before the file."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    found = {name.strip(): value.strip().strip("'\"") for name, value in pairs}
    return found | dict(environment)
