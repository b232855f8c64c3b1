"""What an OpenAPI document says its operations can answer, and whether an answer is among that."""

import re
from collections.abc import Mapping
from typing import Any

from devkit.specs.contracts import Json

_PARAMETER = re.compile(r"\\{\w+\\}")


class Declared:
    """The answers declared in an OpenAPI document (3.1), to check real ones against."""

    def __init__(self, document: Json) -> None:
        # The most literal template first: /trash/lists before /trash/{task_id}.
        templates = sorted(document["paths"], key=lambda path: (path.count("{"), -len(path)))
        self._operations = [(_pattern(path), document["paths"][path]) for path in templates]

    def objection(self, method: str, path: str, status: int, code: str | None) -> str | None:
        """Say what is wrong with an answer, if anything; `code` is its problem's, None for none.

        What no operation answered (no such path, or another method) is never wrong.
        """
        answers = self._answers(method, path)
        if answers is None:
            return None
        answer = answers.get(str(status))
        if answer is None:
            return f"{method} {path} does not declare {status} ({code})"
        if code is not None and code not in _codes(answer):
            return f"{method} {path} declares {status}, but not with {code}"
        return None

    def _answers(self, method: str, path: str) -> Mapping[str, Any] | None:
        name = "get" if method == "HEAD" else method.lower()
        for pattern, item in self._operations:
            if pattern.fullmatch(path.rstrip("/")):
                answers: Mapping[str, Any] | None = item.get(name, {}).get("responses")
                return answers
        return None


def _pattern(path: str) -> re.Pattern[str]:
    # A user id may have slashes; no other parameter goes in front of something else.
    return re.compile(_PARAMETER.sub(".+", re.escape(path)))


def _codes(answer: Mapping[str, Any]) -> list[str]:
    problem = answer.get("content", {}).get("application/problem+json", {})
    codes: list[str] = problem["schema"]["properties"]["code"]["enum"] if problem else []
    return codes
