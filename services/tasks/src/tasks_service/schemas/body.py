"""What every request body has in common."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class RequestBody(BaseModel):
    """A body that holds the fields it declares and no others."""

    model_config = ConfigDict(extra="forbid")


def _without_defaults(schema: dict[str, Any]) -> None:
    for field in schema["properties"].values():
        field.pop("default", None)


class PartialBody(RequestBody):
    """A body whose absent fields mean "leave as it is", so none has a default to show.

    Declare a field that may not be null as `field: T = ABSENT`.
    """

    model_config = ConfigDict(json_schema_extra=_without_defaults)

    def given(self) -> dict[str, Any]:
        """Return the fields that the request has, by name."""
        return {name: getattr(self, name) for name in self.model_fields_set}


# Never read: `given` returns only what was sent.
ABSENT: Any = None
