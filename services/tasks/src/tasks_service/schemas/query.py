"""What query strings have in common."""

from typing import Annotated, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict


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


QueryBool = Annotated[bool, BeforeValidator(_true_or_false)]
