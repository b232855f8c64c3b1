"""What every request body has in common."""

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, JsonValue

Example = dict[str, JsonValue]


def _show_example(schema: dict[str, Any], body: type[Any]) -> None:
    # A body's own: an import's rows are such bodies too, and need more.
    if "example" in vars(body):
        schema["examples"] = [vars(body)["example"]]


def _show_partial(schema: dict[str, Any], body: type[Any]) -> None:
    for field in schema["properties"].values():
        field.pop("default", None)
    _show_example(schema, body)


class RequestBody(BaseModel):
    """A body that holds the fields it declares and no others.

    Its `example` is shown in the OpenAPI document, and accepted as it stands.
    """

    model_config = ConfigDict(extra="forbid", json_schema_extra=_show_example)

    example: ClassVar[Example]


class PartialBody(RequestBody):
    """A body whose absent fields mean "leave as it is", so none has a default to show.

    Declare a field that may not be null as `field: T = ABSENT`.
    """

    model_config = ConfigDict(json_schema_extra=_show_partial)

    def given(self) -> dict[str, Any]:
        """Return the fields that the request has, by name."""
        return {name: getattr(self, name) for name in self.model_fields_set}


# Never read: `given` returns only what was sent.
ABSENT: Any = None
