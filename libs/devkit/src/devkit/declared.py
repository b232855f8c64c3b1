"""What an OpenAPI document says its operations can answer, and whether an answer is among that."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from devkit.specs.contracts import Json

_PARAMETER = re.compile(r"\\{\w+\\}")
# What comes of something that all operations share, and not of what they do: the edge of HTTP,
# the gateway in front, the signed identity, the database.
SHARED = frozenset(
    (
        *("headers_too_large", "malformed_request", "request_timeout", "target_too_long"),
        *("token_expired", "token_invalid", "token_missing", "token_revoked", "auth_unavailable"),
        *("body_too_large", "origin_forbidden", "overloaded", "rate_limited"),
        *("upstream_failed", "upstream_timeout", "upstream_unavailable"),
        *("database_unavailable", "identity_invalid"),
    )
)


class Failure(NamedTuple):
    """A way an operation can fail; `operation` is its method and path."""

    operation: str
    status: int
    code: str


# What the answers of this process that were looked at by a `Declared` came to.
seen: set[Failure] = set()


class Declared:
    """The answers declared in an OpenAPI document (3.1), to check real ones against."""

    def __init__(self, document: Json) -> None:
        # The most literal template first: /trash/lists before /trash/{task_id}.
        templates = sorted(document["paths"], key=lambda path: (path.count("{"), -len(path)))
        self._headers: Json = document.get("components", {}).get("headers", {})
        self._operations = [(path, _pattern(path), document["paths"][path]) for path in templates]

    def objection(
        self,
        method: str,
        path: str,
        status: int,
        code: str | None,
        headers: Collection[str] | None = None,
    ) -> str | None:
        """Say what is wrong with an answer, if anything; `code` is its problem's, None for none.

        `headers` are the names it has in lower case, if they are to be looked at: of those that
        the document knows. What no operation answered (no such path, or another method) is never
        wrong. A problem that is right is `seen`.
        """
        name = "get" if method == "HEAD" else method.lower()
        template, answers = self._answers(name, path)
        if answers is None:
            return None
        answer = answers.get(str(status))
        if answer is None:
            return f"{method} {path} does not declare {status} ({code})"
        if code is not None:
            if code not in _codes(answer):
                return f"{method} {path} declares {status}, but not with {code}"
            seen.add(Failure(f"{name.upper()} {template}", status, code))
        wrong = [] if headers is None else list(self._wrong_headers(answer, headers))
        return f"{method} {path} answers {status} {', '.join(wrong)}" if wrong else None

    def failures(self) -> Iterator[Failure]:
        """Yield every way to fail that is declared."""
        for path, _, item in self._operations:
            for method, operation in item.items():
                for status, answer in operation.get("responses", {}).items():
                    for code in _codes(answer):
                        yield Failure(f"{method.upper()} {path}", int(status), code)

    def _answers(self, name: str, path: str) -> tuple[str, Mapping[str, Any] | None]:
        for template, pattern, item in self._operations:
            if pattern.fullmatch(path.rstrip("/")):
                answers: Mapping[str, Any] | None = item.get(name, {}).get("responses")
                return template, answers
        return path, None

    def _wrong_headers(self, answer: Json, headers: Collection[str]) -> Iterator[str]:
        declared = answer.get("headers", {})
        for name, header in self._headers.items():
            if name.lower() not in headers:
                said = declared.get(name, {})
                if (header if "$ref" in said else said).get("required"):
                    yield f"without {name}"
            elif name not in declared:
                yield f"with {name}"


def unseen(declared: Iterable[Failure], found: Iterable[Failure]) -> list[Failure]:
    """Return what is declared and was not found; what is shared, unless one operation showed it."""
    found = set(found)
    shown = {failure.code for failure in found} & SHARED
    return sorted(failure for failure in set(declared) - found if failure.code not in shown)


def _pattern(path: str) -> re.Pattern[str]:
    # A user id may have slashes; no other parameter goes in front of something else.
    return re.compile(_PARAMETER.sub(".+", re.escape(path)))


def _codes(answer: Mapping[str, Any]) -> list[str]:
    problem = answer.get("content", {}).get("application/problem+json", {})
    codes: list[str] = problem["schema"]["properties"]["code"]["enum"] if problem else []
    return codes
