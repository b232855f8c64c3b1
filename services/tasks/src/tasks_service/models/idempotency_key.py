"""The table of requests that may be repeated."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, LargeBinary, Text
from sqlmodel import Field

from tasks_service.models.base import Table, utc_time
from tasks_service.models.column_types import UtcDateTime


class IdempotencyKey(Table, table=True):
    """A request that was carried out under a key, by the hash of its body, and its answer."""

    __tablename__ = "idempotency_key"
    __table_args__ = (
        CheckConstraint("char_length(key) BETWEEN 1 AND 255", name="key_length"),
        # Serves the removal of a user's keys that are too old.
        Index("ix_idempotency_key_user_id_created_at", "user_id", "created_at"),
        # The same of all users.
        Index("ix_idempotency_key_created_at", utc_time("created_at")),
    )

    user_id: str = Field(
        primary_key=True, max_length=255, foreign_key="account.user_id", ondelete="CASCADE"
    )
    route: str = Field(primary_key=True, sa_type=Text)
    key: str = Field(primary_key=True, sa_type=Text)
    body_hash: bytes = Field(sa_type=LargeBinary)
    task_id: UUID
    task_version: int = Field(sa_type=BigInteger)
    answer: str = Field(sa_type=Text)
    created_at: datetime = Field(sa_type=UtcDateTime)
    updated_at: datetime = Field(sa_type=UtcDateTime)
