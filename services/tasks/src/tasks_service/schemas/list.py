"""Lists as `/api/v1` takes and answers them."""

from datetime import datetime
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StringConstraints

from tasks_service.schemas.body import ABSENT, Example, PartialBody, RequestBody
from tasks_service.schemas.move import Place
from tasks_service.schemas.query import PageQuery, QueryBool, QueryParameters

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
Colour = Annotated[
    str, StringConstraints(strip_whitespace=True, to_lower=True, pattern="^#[0-9a-fA-F]{6}$")
]


class ListRead(BaseModel):
    """A list. `version` is also its ETag; `position` sorts bytewise."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    colour: str | None
    position: str
    archived: bool
    version: int
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = Field(description="When it went to the trash.")


class ListPage(BaseModel):
    """Some lists, and where the next ones begin."""

    items: list[ListRead]
    next_cursor: str | None = Field(description="Null on the last page.")


class ListWrite(RequestBody):
    """A new list."""

    example: ClassVar[Example] = {"name": "Home", "colour": "#2e7d32"}

    name: Name
    colour: Colour | None = Field(default=None, description="`#rrggbb`.")
    archived: StrictBool = False


class ListPatch(PartialBody):
    """The fields to change: what is left out stays, null clears."""

    example: ClassVar[Example] = {"name": "House and garden", "archived": False}

    name: Name = ABSENT
    colour: Colour | None = None
    archived: StrictBool = ABSENT


class ListMove(Place):
    """Where to put the list."""

    # Behind all others: the id of one is the reader's own.
    example: ClassVar[Example] = {}


class ListQuery(PageQuery):
    """Which lists, and how many."""

    archived: QueryBool | None = None


class ListDeletion(QueryParameters):
    """What becomes of the tasks in the list."""

    keep_tasks: QueryBool = Field(
        default=False, description="Leave its tasks, in no list, instead of in the trash."
    )
