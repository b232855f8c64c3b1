"""What every service reads from its environment, and how a mistake there stops the start."""

import sys
from collections.abc import Iterable
from typing import Annotated, NoReturn, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

SettingsT = TypeVar("SettingsT", bound="ServiceSettings")

_MIN_SECRET_BYTES = 32
_QUOTES = ('"', "'")


def _split(value: object) -> object:
    # Not stripped: white space around a secret is a mistake to name, not to guess away.
    return tuple(value.split(",")) if isinstance(value, str) else value


def _check_secrets(secrets: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    for secret in (secret.get_secret_value() for secret in secrets):
        if secret != secret.strip() or secret.startswith(_QUOTES) or secret.endswith(_QUOTES):
            raise ValueError("has white space or quotes around a secret; remove them.")
        if len(secret.encode()) < _MIN_SECRET_BYTES:
            raise ValueError(
                f"each secret (a comma separates two) must have at least {_MIN_SECRET_BYTES} bytes."
            )
    return secrets


# A comma-separated list, new first, so that a secret can be changed without an outage.
Secrets = Annotated[
    tuple[SecretStr, ...], NoDecode, BeforeValidator(_split), AfterValidator(_check_secrets)
]


def secret_bytes(secrets: Iterable[SecretStr]) -> list[bytes]:
    """Return the secrets as keys: their UTF-8, as it stands."""
    return [secret.get_secret_value().encode() for secret in secrets]


class ServiceSettings(BaseSettings):
    """The settings every service has; each service adds its own. Environment only."""

    model_config = SettingsConfigDict(
        frozen=True,
        # `FOO=` in an environment file means "not set", never an empty secret or URL.
        env_ignore_empty=True,
        # A secret must not come back in an error message.
        hide_input_in_errors=True,
    )

    log_level: str = Field(default="INFO", pattern=r"^(DEBUG|INFO|WARNING|ERROR)$")
    access_log: bool = Field(default=True, description="A line for each request.")
    metrics_port: int | None = Field(default=None, ge=1, le=65_535)
    max_waiting: int = Field(default=256, ge=1, description="Requests without an answer yet.")
    public_url: str = Field(
        default="http://localhost:8080",
        pattern=r"^https?://[^\s/?#]+$",
        description="Where clients reach the gateway; error answers link to it.",
    )


def load_settings(kind: type[SettingsT], service: str) -> SettingsT:
    """Read the environment, or end the process with one line that names each mistake."""
    try:
        return kind()
    except ValidationError as error:
        refuse_to_start(service, "; ".join(_sentence(item) for item in error.errors()))


def refuse_to_start(service: str, why: str) -> NoReturn:
    """End the process with one line on standard error and exit code 1."""
    sys.exit(f"{service}: refusing to start: {why}")


def _sentence(item: ErrorDetails) -> str:
    name = ".".join(str(part) for part in item["loc"]).upper()
    message = str(item["msg"]).removeprefix("Value error, ")
    return f"{name}: {message}" if name else message
