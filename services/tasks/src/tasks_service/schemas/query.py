"""What query strings have in common."""

from typing import Annotated, Literal, get_origin
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _true_or_false(value: object) -> object:
    if value in {"true", "false"}:
        return value == "true"
    raise ValueError("should be true or false")


class QueryParameters(BaseModel):
    """The parameters of one route; those that are lists may be repeated."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def repeatable(cls) -> frozenset[str]:
        """Return the names that may be given more than once."""
        return frozenset(
            name for name, field in cls.model_fields.items() if get_origin(field.annotation) is list
        )


def _id_or_none(value: object) -> object:
    if value == "none":
        return value
    try:
        return UUID(str(value))
    except ValueError:
        raise ValueError("should be an id, or none") from None


IdOrNone = Annotated[UUID | Literal["none"], BeforeValidator(_id_or_none)]
QueryBool = Annotated[bool, BeforeValidator(_true_or_false)]

MIN_CURSOR = "An `X-Sync-Cursor`: the answer includes every write up to it."


class PageQuery(QueryParameters):
    """Which page."""

    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: str | None = Field(
        default=None, description="`next_cursor` of the page before, with the same query."
    )
    min_cursor: str | None = Field(default=None, description=MIN_CURSOR)

    def filters(self) -> str:
        """Return all but the page, as text: what a cursor is bound to."""
        return self.model_dump_json(exclude={"limit", "cursor", "min_cursor"})
