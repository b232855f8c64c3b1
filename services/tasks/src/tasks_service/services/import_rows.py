"""The rows of a file to be imported, each with its place, and what is wrong with them."""

from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, ValidationError
from uuid_utils.compat import uuid7

from tasks_service.errors import ImportRefusedError
from tasks_service.json_text import escaped
from tasks_service.schemas.data_import import CompletionRow, ListRow, TagRow, TaskRow

_MOST_ROWS = 25_000
# Who has so many mistakes in a file mends them by a rule, not by this list.
_MOST_PROBLEMS = 100
# A line of a CSV, or the pointer to a row of a JSON document.
Place = int | str
Row = TypeVar("Row", bound=BaseModel)


@dataclass
class Placed(Generic[Row]):
    """A row, where it stands, and the id it is to have."""

    place: Place
    row: Row
    id: UUID

    @classmethod
    def at(cls, place: Place, row: Row) -> "Placed[Row]":
        """Place a row; without an id it gets one."""
        return cls(place, row, getattr(row, "id", None) or uuid7())


@dataclass
class Rows:
    """What is in a file.

    `named_lists` are those that tasks in a CSV name: made only if the user has none of the id.
    """

    lists: list[Placed[ListRow]] = field(default_factory=list)
    named_lists: list[Placed[ListRow]] = field(default_factory=list)
    tags: list[Placed[TagRow]] = field(default_factory=list)
    tasks: list[Placed[TaskRow]] = field(default_factory=list)
    completions: list[Placed[CompletionRow]] = field(default_factory=list)


class Problems:
    """What is wrong with a file, collected up to a number."""

    def __init__(self) -> None:
        self._found: list[dict[str, Any]] = []

    def add(self, place: Place, name: str | None, detail: str) -> None:
        """Note a problem with a row, or with a field of it.

        Raises `ImportRefusedError` when there are enough.
        """
        where: dict[str, Any] = (
            {"line": place} | ({} if name is None else {"field": name})
            if isinstance(place, int)
            else {"pointer": place if name is None else f"{place}/{name}"}
        )
        self._found.append({"detail": detail, **where})
        if len(self._found) == _MOST_PROBLEMS:
            self.refuse_if_any()

    def add_all(self, place: Place, error: ValidationError) -> None:
        """Note what Pydantic has found wrong with a row."""
        for found in error.errors(include_url=False, include_input=False, include_context=False):
            path = found["loc"] if isinstance(place, str) else found["loc"][:1]
            name = "/".join(map(escaped, path)) or None
            self.add(place, name, found["msg"].removeprefix("Value error, "))

    def refuse_if_any(self) -> None:
        """Return if nothing is wrong. Raises `ImportRefusedError`."""
        if self._found:
            raise ImportRefusedError(self._found)


def require_few(number: int, problems: Problems) -> None:
    """Refuse a file with more rows than are taken at once. Raises `ImportRefusedError`."""
    if number > _MOST_ROWS:
        problems.add("#", None, f"has more than {_MOST_ROWS} rows: import it in parts")
        problems.refuse_if_any()
