"""What every service reads from its environment, and how a mistake there stops the start."""

import sys
from typing import NoReturn, TypeVar

from pydantic import Field, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

SettingsT = TypeVar("SettingsT", bound="ServiceSettings")


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
