"""The body of an error answer, as the OpenAPI documents show it."""

from collections.abc import Mapping
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


Answers = dict[int | str, dict[str, Any]]


def problem_answer(titles: Mapping[str, str]) -> dict[str, Any]:
    """Describe an answer, one status of an operation's `responses`, that has one of these codes.

    `titles` has the title of each code. `add_problem_schema` makes the reference good.
    """
    return {
        "description": "; ".join(f"{title} (`{code}`)" for code, title in titles.items()),
        "content": {
            "application/problem+json": {
                "schema": {
                    "$ref": f"#/components/schemas/{Problem.__name__}",
                    "properties": {"code": {"enum": list(titles)}},
                }
            }
        },
    }


def answer_titles(answer: Mapping[str, Any]) -> dict[str, str]:
    """Return the codes an answer may have, and their titles: what `problem_answer` was given."""
    return {
        code.rstrip("`)"): title
        for title, found, code in (
            each.rpartition(" (`") for each in answer.get("description", "").split("; ")
        )
        if found
    }


def join_answers(*parts: Mapping[int | str, dict[str, Any]]) -> Answers:
    """Return one `responses=` of several: what they say of the same status is said together."""
    titles: dict[int | str, dict[str, str]] = {}
    for part in parts:
        for status, answer in part.items():
            titles.setdefault(status, {}).update(answer_titles(answer))
    return {status: problem_answer(each) for status, each in titles.items()}


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
        responses["422"] = problem_answer({"validation_failed": "Validation failed"})
