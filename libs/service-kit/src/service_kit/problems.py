"""The body of an error answer, as the OpenAPI documents show it."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class ProblemField(BaseModel):
    """One thing wrong with the request, and where: in the body, a parameter or a header."""

    detail: str
    pointer: str | None = Field(default=None, description="JSON pointer into the body (RFC 6901).")
    parameter: str | None = Field(default=None, description="Name of a path or query parameter.")
    header: str | None = Field(default=None, description="Name of a request header.")


class Problem(BaseModel):
    """Problem details (RFC 9457). Branch on `code`; show `detail`."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="URI of the page that explains this code.")
    title: str
    status: int
    detail: str
    code: str = Field(description="Stable, snake_case.")
    request_id: str
    errors: list[ProblemField] | None = None

    @classmethod
    def ref(cls) -> dict[str, Any]:
        """Return the JSON schema reference that `add_problem_schema` makes good."""
        return {"$ref": f"#/components/schemas/{cls.__name__}"}


def add_problem_schema(openapi: dict[str, Any]) -> dict[str, Any]:
    """Put the problem schemas into an OpenAPI document, in place of FastAPI's own 422 answers."""
    schemas = openapi.setdefault("components", {}).setdefault("schemas", {})
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    document = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(document.pop("$defs"))
    schemas[Problem.__name__] = document
    for path in openapi.get("paths", {}).values():
        for operation in path.values():
            _replace_validation_answer(operation["responses"])
    return openapi


def _replace_validation_answer(responses: dict[str, Any]) -> None:
    if "application/json" in responses.get("422", {}).get("content", {}):
        responses["422"] = {
            "description": "Validation failed (`validation_failed`)",
            "content": {"application/problem+json": {"schema": Problem.ref()}},
        }
