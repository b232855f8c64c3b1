"""What this service reads from its environment."""

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, field_validator
from redis.asyncio.connection import parse_url as parse_redis_url
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from service_kit.settings import Secrets, ServiceSettings, secret_bytes

SERVICE = "tasks"
_SCHEMES = {"postgresql", "postgresql+asyncpg"}


class DatabaseSettings(ServiceSettings):
    """Where the database is, all that a migration needs to know.

    `DATABASE_URL` is `postgresql://user:password@host:port/name`, with `?sslmode=` if need be.
    """

    database_url: SecretStr

    @field_validator("database_url")
    @classmethod
    def _is_a_postgresql_url(cls, value: SecretStr) -> SecretStr:
        _parse(value.get_secret_value())
        return value

    @property
    def sqlalchemy_url(self) -> URL:
        """The URL as SQLAlchemy and asyncpg take it."""
        return _parse(self.database_url.get_secret_value())


def _check_redis_url(url: SecretStr) -> SecretStr:
    try:
        parse_redis_url(url.get_secret_value())
    except ValueError:
        raise ValueError("must be a URL such as redis://redis:6379/0 (or rediss://)") from None
    return url


class TasksSettings(DatabaseSettings):
    """Everything the running service needs; `IDENTITY_KEY` is a comma list, newest first."""

    identity_key: Secrets
    redis_url: Annotated[SecretStr, AfterValidator(_check_redis_url)]
    database_pool_size: int = Field(default=10, ge=1, le=200, description="Of each process.")
    housekeeping_seconds: float = Field(default=3600, gt=0, le=86_400)
    tasks_workers: int = Field(default=1, ge=1, le=64, description="Processes on one port.")
    events_heartbeat: float = Field(default=15, gt=0, le=60)
    events_poll: float = Field(default=2, gt=0, le=60)

    @property
    def identity_keys(self) -> list[bytes]:
        """The keys that may have signed an identity."""
        return secret_bytes(self.identity_key)


def _parse(text: str) -> URL:
    # The URL holds a password, so no message repeats any of it.
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ValueError("this is not a URL") from None
    if url.drivername not in _SCHEMES:
        raise ValueError("it must start with postgresql://")
    if not url.host or not url.database:
        raise ValueError("it must name a host and a database")
    if not url.query.keys() <= {"sslmode", "ssl"}:
        raise ValueError("the only parameter it may have is sslmode")
    # asyncpg's name for libpq's sslmode is ssl; the values are the same.
    mode = url.query.get("sslmode", url.query.get("ssl"))
    query = {"ssl": mode} if mode else {}
    return url.set(drivername="postgresql+asyncpg", query=query)
