"""The verifier's environment."""

from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_settings import NoDecode

from service_kit.settings import Secrets, ServiceSettings

_EIGHT_DAYS = 8 * 24 * 60 * 60


def _split_names(value: Any) -> Any:  # noqa: ANN401 - Pydantic hands over what it was given.
    if not isinstance(value, str):
        return value
    return tuple(name for name in map(str.strip, value.split(",")) if name)


def _check_url(url: str) -> str:
    if not _is_http_url(url):
        raise ValueError(
            "must be a URL such as https://auth.example.com, without user or fragment."
        )
    return url


def _is_http_url(url: str) -> bool:
    # urlsplit() drops line breaks and tabs in silence.
    if not url.isprintable() or " " in url or "\\" in url:
        return False
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    plain = "@" not in parts.netloc and "#" not in url and not parts.netloc.endswith(":")
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and plain


def _check_no_query(url: str) -> str:
    if "?" in url:
        raise ValueError("must have no query.")
    return url


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_names)]
Url = Annotated[str, AfterValidator(_check_url)]


class Settings(ServiceSettings):
    """What the verifier reads from its environment; lists are separated by commas."""

    better_auth_secret: Secrets = Field(default=(), description="New first, for rotation.")
    better_auth_url: Annotated[Url, AfterValidator(_check_no_query)] | None = None
    better_auth_jwks_url: Url | None = None
    better_auth_issuers: Names = ()
    better_auth_audiences: Names = ()
    auth_issuers_file: Path | None = Field(default=None, description="TOML; further issuers.")
    auth_max_token_lifetime: int = Field(default=_EIGHT_DAYS, gt=0, description="Seconds.")

    @property
    def has_better_auth(self) -> bool:
        """Tell whether tokens of Better Auth can be checked."""
        return bool(self.better_auth_secret or self.better_auth_url or self.better_auth_jwks_url)

    @model_validator(mode="after")
    def _check_sources(self) -> Self:
        if not (self.has_better_auth or self.auth_issuers_file):
            raise ValueError(
                "set BETTER_AUTH_URL, BETTER_AUTH_SECRET, BETTER_AUTH_JWKS_URL or "
                "AUTH_ISSUERS_FILE: without one no token can be checked."
            )
        named = self.better_auth_issuers and self.better_auth_audiences
        # One issuer's keys sign tokens for many audiences; a signature alone proves too little.
        if self.better_auth_jwks_url and not (self.better_auth_url or named):
            raise ValueError(
                "BETTER_AUTH_JWKS_URL also needs BETTER_AUTH_URL, or both BETTER_AUTH_ISSUERS and "
                "BETTER_AUTH_AUDIENCES: they say which tokens are meant for us."
            )
        return self
