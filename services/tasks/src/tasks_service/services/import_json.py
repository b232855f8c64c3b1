"""A document as the export makes it, read."""

import re
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from service_kit.errors import ValidationFailedError
from service_kit.problems import ProblemField
from tasks_service.json_text import escaped, parse_json
from tasks_service.schemas.data_import import CompletionRow, ListRow, TagRow, TaskRow
from tasks_service.schemas.export import DOCUMENT_VERSION
from tasks_service.services.import_rows import Placed, Problems, Rows, require_few

_MEMBERS: dict[str, type[BaseModel]] = {
    "lists": ListRow,
    "tags": TagRow,
    "tasks": TaskRow,
    "completions": CompletionRow,
}
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
# Each takes memory of many times its length, and no file of as many rows as may be needs more.
_MOST_VALUES = 1_000_000
Row = TypeVar("Row", bound=BaseModel)


def read_json(content: bytes) -> Rows:
    """Return the rows of a document.

    Raises `MalformedJsonError`, `ValidationFailedError` and `ImportRefusedError`.
    """
    _require_small(content)
    document = parse_json(content)
    problems = Problems()
    if not isinstance(document, dict):
        problems.add("#", None, "should be an object, as /api/v1/export gives it")
        problems.refuse_if_any()
    if document.get("taskgate", DOCUMENT_VERSION) != DOCUMENT_VERSION:
        problems.add("#", "taskgate", f"should be {DOCUMENT_VERSION}")
    for name in document.keys() - {"taskgate", "exported_at", *_MEMBERS}:
        problems.add("#", escaped(name), "is not a member here")
    members = {name: document.get(name, []) for name in _MEMBERS}
    for name, values in members.items():
        if not isinstance(values, list):
            problems.add("#", name, "should be an array")
    problems.refuse_if_any()
    require_few(sum(map(len, members.values())), problems)
    rows = Rows(
        **{
            name: _placed(f"#/{name}", members[name], shape, problems)
            for name, shape in _MEMBERS.items()
        }  # type: ignore[arg-type]  # each is of its shape
    )
    problems.refuse_if_any()
    return rows


def _placed(
    pointer: str, values: list[Any], shape: type[Row], problems: Problems
) -> list[Placed[Row]]:
    rows = []
    for number, value in enumerate(values):
        place = f"{pointer}/{number}"
        try:
            rows.append(Placed.at(place, shape.model_validate(value)))
        except ValidationError as error:
            problems.add_all(place, error)
    return rows


def _require_small(content: bytes) -> None:
    # Between two values there is a comma, or the beginning of an array or object.
    structure = _STRING.sub(b"", content)
    if sum(map(structure.count, (b",", b"[", b"{"))) > _MOST_VALUES:
        detail = f"has more than {_MOST_VALUES} values"
        raise ValidationFailedError([ProblemField(detail=detail, pointer="#")])
