"""The table of users, the root every foreign key leads to."""

from datetime import datetime

from sqlalchemy import BigInteger, Column, Text, text
from sqlmodel import Field

from tasks_service.models.base import Table
from tasks_service.models.column_types import UtcDateTime


class Account(Table, table=True):
    """One user; `last_version` numbers their writes, and its lock puts them in order.

    A sync from before `oldest_cursor` would miss tombstones that are gone, and one of another
    `epoch` what other writes of the same numbers did. Whoever sets `last_version` back, as a
    restored backup does, gives it another epoch.
    """

    user_id: str = Field(primary_key=True, max_length=255)
    last_version: int = Field(sa_type=BigInteger)
    # The server's default is for accounts that the release before makes.
    oldest_cursor: int = Field(
        default=0, sa_column=Column(BigInteger, nullable=False, server_default="0")
    )
    epoch: str = Field(
        sa_column=Column(
            Text, nullable=False, server_default=text("substr((gen_random_uuid())::text, 1, 8)")
        ),
    )
    created_at: datetime = Field(sa_type=UtcDateTime)
    updated_at: datetime = Field(sa_type=UtcDateTime)
