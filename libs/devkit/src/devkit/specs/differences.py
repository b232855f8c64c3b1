"""What differs between two JSON values, place by place, in words."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Path = tuple[str | int, ...]

_SHOWN = 60


@dataclass(frozen=True)
class Difference:
    """One place where the spec and the code disagree."""

    path: Path
    words: str


def differences(spec: Any, code: Any, path: Path = ()) -> Iterator[Difference]:  # noqa: ANN401 - JSON.
    """Yield every place that differs; numbers are equal by value, order counts in arrays only."""
    if isinstance(spec, dict) and isinstance(code, dict):
        for key in {**spec, **code}:
            if key not in code:
                yield Difference((*path, key), "is in the spec, not in the code")
            elif key not in spec:
                yield Difference((*path, key), "is in the code, not in the spec")
            else:
                yield from differences(spec[key], code[key], (*path, key))
    elif isinstance(spec, list) and isinstance(code, list):
        yield from _in_arrays(spec, code, path)
    elif spec != code or isinstance(spec, bool) != isinstance(code, bool):
        yield Difference(path, f"differs: {_show(spec)} in the spec, {_show(code)} in the code")


def _in_arrays(spec: list[Any], code: list[Any], path: Path) -> Iterator[Difference]:
    if len(spec) == len(code):
        for index, (ours, theirs) in enumerate(zip(spec, code, strict=True)):
            yield from differences(ours, theirs, (*path, index))
        return
    # One item too many would shift all that follow: name the item instead.
    for index, item in enumerate(spec):
        if item not in code:
            yield Difference((*path, index), f"{_show(item)} is in the spec, not in the code")
    for item in code:
        if item not in spec:
            yield Difference(path, f"{_show(item)} is in the code, not in the spec")
    if all(item in code for item in spec) and all(item in spec for item in code):
        yield Difference(path, f"has {len(spec)} items in the spec, {len(code)} in the code")


def _show(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
