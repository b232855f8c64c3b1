"""The rule of when a task is due: on a date, at an instant, or never."""

from collections.abc import Iterator, Mapping
from typing import Any

from service_kit.errors import ValidationFailedError
from service_kit.problems import ProblemField


def require_one_due(task: Mapping[str, Any]) -> None:
    """Refuse a task due twice, or with a zone for no instant.

    `task` has the three due fields by name. Raises `ValidationFailedError`.
    """
    problems = list(_problems(task))
    if problems:
        raise ValidationFailedError(problems)


def _problems(task: Mapping[str, Any]) -> Iterator[ProblemField]:
    if task["due_on"] is not None and task["due_at"] is not None:
        yield ProblemField(
            detail="due_on and due_at exclude each other: set one of them to null",
            pointer="#/due_on",
        )
    if task["time_zone"] is not None and task["due_at"] is None:
        yield ProblemField(
            detail="time_zone needs due_at: set it to null without one", pointer="#/time_zone"
        )
