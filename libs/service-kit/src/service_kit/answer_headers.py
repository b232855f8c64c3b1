"""The headers of answers, declared in an OpenAPI document by rule and not answer by answer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

_NOT_NOW = frozenset(("429", "503"))


class Answer(NamedTuple):
    """One status of an operation, as the document describes both."""

    status: str
    described: Mapping[str, Any]
    operation: Mapping[str, Any]


def _none(_answer: Answer) -> bool:
    return False


@dataclass(frozen=True)
class AnswerHeader:
    """A header, and which answers have it: always, unless it is `optional`.

    Others have it `at_times`, where one of their codes brings it and another does not.
    """

    name: str
    description: str
    of: Callable[[Answer], bool]
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})
    optional: bool = False
    at_times: Callable[[Answer], bool] = _none

    def as_json(self) -> dict[str, Any]:
        """Return what is said of it."""
        always = {} if self.optional else {"required": True}
        return {"description": self.description, **always, "schema": dict(self.schema)}


RETRY_AFTER = AnswerHeader(
    "Retry-After",
    "After how many seconds to try again.",
    lambda answer: answer.status in _NOT_NOW,
    {"type": "integer", "minimum": 1},
)


def declare_headers(document: dict[str, Any], headers: Sequence[AnswerHeader]) -> None:
    """Declare headers with every answer that has them, besides what is declared already."""
    components = document.setdefault("components", {}).setdefault("headers", {})
    components.update({header.name: header.as_json() for header in headers})
    for item in document["paths"].values():
        for operation in item.values():
            # An item has what all its operations share, too.
            if isinstance(operation, dict):
                _declare_of(operation, headers)


def _declare_of(operation: dict[str, Any], headers: Sequence[AnswerHeader]) -> None:
    for status, described in operation.get("responses", {}).items():
        answer = Answer(status, described, operation)
        declared = {header.name: said for header in headers if (said := _said(header, answer))}
        if declared:
            described.setdefault("headers", {}).update(declared)


def _said(header: AnswerHeader, answer: Answer) -> dict[str, Any] | None:
    if header.of(answer):
        return {"$ref": f"#/components/headers/{header.name}"}
    return replace(header, optional=True).as_json() if header.at_times(answer) else None
