"""The gateway's environment."""

import re
from dataclasses import fields
from ipaddress import ip_network
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode
from redis.asyncio.connection import parse_url

from gateway_service.client_address import Network
from gateway_service.upstream.timeouts import UpstreamTimeouts
from service_kit.settings import Secrets, ServiceSettings, secret_bytes

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(?:[a-z0-9._-]+|\[[0-9a-f:]+\])(?::[1-9][0-9]{0,4})?")
_DEFAULT_PORTS = (("http://", ":80"), ("https://", ":443"))
_DEFAULTS = UpstreamTimeouts()


def _split(value: Any) -> Any:  # noqa: ANN401 - Pydantic hands over what it was given.
    # Not stripped: white space around an origin is a mistake to name, not to guess away.
    return tuple(value.split(",")) if isinstance(value, str) else value


def _check_origins(origins: tuple[str, ...]) -> tuple[str, ...]:
    for origin in origins:
        ends_in_default = any(
            origin.startswith(scheme) and origin.endswith(port) for scheme, port in _DEFAULT_PORTS
        )
        if not _ORIGIN.fullmatch(origin) or ends_in_default:
            raise ValueError(
                f"{origin!r} is no origin as browsers send it: write https://app.example.com, "
                'lower case, without path, default port, spaces or "*", separated by commas.'
            )
    return origins


def _check_base_url(url: str) -> str:
    if not _is_base_url(url):
        raise ValueError("must be a URL such as http://tasks:8000, without user, path or query.")
    return url.removesuffix("/")


def _check_plain_http(url: str) -> str:
    if not url.startswith("http://"):
        raise ValueError("must be a plain http:// URL: the forwarding client speaks no TLS.")
    return url


def _is_base_url(url: str) -> bool:
    # urlsplit() drops line breaks and tabs in silence.
    if not url.isascii() or not url.isprintable() or re.search(r"[\s\\@?#]", url):
        return False
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    well_placed = parts.path in {"", "/"} and not parts.netloc.endswith(":")
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and well_placed


def _check_redis_url(url: SecretStr) -> SecretStr:
    if not _is_redis_url(url.get_secret_value()):
        raise ValueError("must be a URL such as redis://redis:6379/0 (or rediss://, unix://).")
    return url


def _is_redis_url(url: str) -> bool:
    try:
        parse_url(url)
    except ValueError:
        return False
    return "://" in url


def _parse_networks(value: Any) -> Any:  # noqa: ANN401 - Pydantic hands over what it was given.
    if not isinstance(value, str):
        return value
    try:
        return tuple(ip_network(one.strip()) for one in value.split(","))
    except ValueError as error:
        raise ValueError(
            f"{error}: write addresses and networks such as 10.0.0.7,172.16.0.0/12, separated by "
            "commas."
        ) from None


BaseUrl = Annotated[str, AfterValidator(_check_base_url)]
Origins = Annotated[
    tuple[str, ...], NoDecode, BeforeValidator(_split), AfterValidator(_check_origins)
]
Networks = Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_parse_networks)]
RateLimit = Annotated[int, Field(ge=0, le=1_000_000)]
Seconds = Annotated[float, Field(gt=0, le=3600)]


class Settings(ServiceSettings):
    """What the gateway reads from its environment; lists are separated by commas."""

    tasks_url: Annotated[BaseUrl, AfterValidator(_check_plain_http)]
    auth_verifier_url: BaseUrl
    redis_url: Annotated[SecretStr, AfterValidator(_check_redis_url)]
    identity_key: Secrets = Field(description="The first signs; all are accepted, for rotation.")
    cors_origins: Origins = Field(default=(), description="Web pages allowed to call us.")
    hsts_max_age: int = Field(default=0, ge=0, description="Seconds; only where TLS is for good.")
    better_auth_cookie_prefix: str = Field(
        default="better-auth",
        pattern=r"^[A-Za-z0-9_-]{1,64}(\.[A-Za-z0-9_-]{1,64}){0,3}$",
        description="Better Auth's advanced.cookiePrefix.",
    )
    trusted_proxies: Networks = Field(default=(), description="Whose X-Forwarded-For is believed.")
    unknown_revocation: Literal["accept", "refuse"] = Field(
        default="accept", description="What becomes of tokens that Redis cannot be asked about."
    )
    gateway_workers: int = Field(default=1, ge=1, le=64, description="Processes on one port.")
    verdict_ttl_seconds: int = Field(default=30, ge=1, le=30)
    verdict_memory_entries: int = Field(default=50_000, ge=1, description="About 1.5 kB each.")
    rate_limit_user: RateLimit = 3000
    rate_limit_address: RateLimit = 1200
    rate_limit_failures: RateLimit = 300
    upstream_total: Seconds = _DEFAULTS.total
    event_streams: int = Field(default=5_000, ge=1, description="Event streams of a process.")
    upstream_connect: Seconds = _DEFAULTS.connect
    upstream_pool_wait: Seconds = _DEFAULTS.pool_wait
    upstream_request_body: Seconds = _DEFAULTS.request_body
    upstream_write_stall: Seconds = _DEFAULTS.write_stall
    upstream_answer_head: Seconds = _DEFAULTS.answer_head
    upstream_answer_body: Seconds = _DEFAULTS.answer_body

    @property
    def keys(self) -> list[bytes]:
        """The identity keys, as bytes."""
        return secret_bytes(self.identity_key)

    @property
    def upstream_timeouts(self) -> UpstreamTimeouts:
        """The limits of a forwarded request (`UPSTREAM_<LIMIT>`, seconds)."""
        names = (field.name for field in fields(UpstreamTimeouts))
        return UpstreamTimeouts(**{name: getattr(self, f"upstream_{name}") for name in names})
