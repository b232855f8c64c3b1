"""Numbers about a user's tasks."""

import datetime as dt
from uuid import UUID

from pydantic import BaseModel, Field

from tasks_service.priority import Priority
from tasks_service.schemas.fields import TimeZone
from tasks_service.schemas.query import MIN_CURSOR, QueryParameters


class StatsQuery(QueryParameters):
    """Where the user is."""

    time_zone: TimeZone = Field(default="UTC", description="IANA name of the zone of the days.")
    min_cursor: str | None = Field(default=None, description=MIN_CURSOR)


class ListStats(BaseModel):
    """How many tasks a list has."""

    list_id: UUID | None = Field(description="Null for the tasks of no list.")
    open: int
    completed: int


class DayStats(BaseModel):
    """How many tasks were completed on a day."""

    date: dt.date
    completed: int


class Stats(BaseModel):
    """How many tasks there are, the trash left out."""

    open: int
    completed: int
    overdue: int
    due_today: int
    by_list: list[ListStats]
    by_priority: dict[Priority, int] = Field(description="The open ones.")
    completed_per_day: list[DayStats] = Field(
        description="The last 30 days, today last. Each time a recurring task was done is one."
    )
