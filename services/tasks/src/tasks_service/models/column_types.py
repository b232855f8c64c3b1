"""Column types that keep what Python and PostgreSQL mean by a value the same."""

from datetime import UTC, datetime

from sqlalchemy import DateTime, Dialect, SmallInteger
from sqlalchemy.types import TypeDecorator

from tasks_service.priority import Priority

_BY_RANK = list(Priority)
_RANKS = {priority: rank for rank, priority in enumerate(_BY_RANK)}


class UtcDateTime(TypeDecorator[datetime]):
    """An instant: aware in Python, always in UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Convert to UTC. Raises `ValueError` for a datetime without an offset."""
        if value is not None and value.tzinfo is None:
            raise ValueError("An instant needs a UTC offset.")
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Return the instant; asyncpg gives the two infinities without an offset."""
        return value and value.replace(tzinfo=UTC)


class PriorityRank(TypeDecorator[Priority]):
    """A priority, stored as its rank so that it sorts by meaning."""

    impl = SmallInteger
    cache_ok = True

    def process_bind_param(self, value: Priority | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Return the rank."""
        return None if value is None else _RANKS[value]

    def process_result_value(self, value: int | None, dialect: Dialect) -> Priority | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Return the priority of a rank."""
        return None if value is None else _BY_RANK[value]
