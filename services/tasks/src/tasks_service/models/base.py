"""What every table shares: one metadata, whose constraints have names we can rely on."""

from datetime import datetime
from typing import ClassVar

from sqlalchemy import DateTime, MetaData
from sqlalchemy.sql import literal_column
from sqlalchemy.sql.elements import ColumnClause
from sqlmodel import SQLModel

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


class Table(SQLModel):
    """A row of one of this service's tables."""

    metadata: ClassVar[MetaData] = metadata


def utc_time(column: str) -> ColumnClause[datetime]:
    """Return an instant as the time in UTC: by what whole tables are searched for what is old.

    An index of the instants themselves would be taken for the rows of one user too.
    """
    # Spelled as PostgreSQL gives it back, so that Alembic sees no difference.
    return literal_column(f"({column} AT TIME ZONE 'UTC'::text)", DateTime())
