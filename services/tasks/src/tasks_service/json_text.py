"""JSON (RFC 8259) as it is taken from outside: in UTF-8, shallow, of text PostgreSQL can store."""

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, NoReturn

from service_kit.errors import MalformedJsonError, ValidationFailedError
from service_kit.problems import ProblemField

_DEEPEST = 5
_MOST_PROBLEMS = 100
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def parse_json(body: bytes) -> Any:  # noqa: ANN401 - JSON can be anything
    """Return what a body says. Raises `MalformedJsonError` or `ValidationFailedError`."""
    try:
        # Decoded here because json would also guess UTF-16 and UTF-32.
        value = json.loads(body.decode(), parse_constant=_refuse_constant)
    except RecursionError:
        raise _too_deep("#") from None
    except ValueError:
        raise MalformedJsonError from None
    problems = list(islice(_problems(value, "#", 0), _MOST_PROBLEMS))
    if problems:
        raise ValidationFailedError(problems)
    return value


def escaped(name: object) -> str:
    """Return a name as a JSON pointer has it (RFC 6901 §3)."""
    return str(name).replace("~", "~0").replace("/", "~1")


def _refuse_constant(name: str) -> NoReturn:
    # Python reads NaN and Infinity, which JSON does not have.
    raise ValueError(name)


def _problems(value: object, pointer: str, depth: int) -> Iterator[ProblemField]:
    if isinstance(value, str):
        if UNSTORABLE.search(value):
            yield ProblemField(
                detail="has a NUL character or an unpaired surrogate", pointer=pointer
            )
        return
    if not isinstance(value, dict | list):
        return
    if depth == _DEEPEST:
        raise _too_deep(pointer)
    members = value.items() if isinstance(value, dict) else enumerate(value)
    for name, member in members:
        yield from _problems(name, pointer, depth)
        yield from _problems(member, f"{pointer}/{escaped(name)}", depth + 1)


def _too_deep(pointer: str) -> ValidationFailedError:
    return ValidationFailedError(
        [ProblemField(detail=f"is nested more than {_DEEPEST} levels deep", pointer=pointer)]
    )
