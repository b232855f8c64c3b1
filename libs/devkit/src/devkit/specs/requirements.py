"""Requirements: the numbered promises of specs/features, and the tests that defend them."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from devkit.specs.documents import Document
from devkit.specs.marks import Mark
from devkit.specs.problems import Problem

_ITEM = re.compile(r"(?P<indent>\s*)[-*+] \*\*(?P<id>[A-Z][A-Z0-9]*-[1-9][0-9]*)\*\* ?(?P<text>.*)")
# Bold text that looks like an id but is not written as one would otherwise be lost in silence.
_ALMOST = re.compile(r"\s*(?:[-*+]|\d+\.)\s+\*\*\s*[A-Za-z][A-Za-z0-9]*[-_ ]?\d+\b")
_FENCE = re.compile(r"\s*(```|~~~)")


@dataclass(frozen=True)
class Requirement:
    """One promise; `planned` means approved and not built yet."""

    id: str
    text: str
    path: str
    line: int
    approved: bool
    planned: bool


def is_features(document: Document) -> bool:
    """Whether this spec is one that numbers requirements."""
    return document.path.startswith("specs/features/")


def parse_requirements(document: Document) -> Iterator[Requirement | Problem]:
    """Yield the list items `- **AUTH-7** text`, joined over their indented lines."""
    lines = _outside_fences(document)
    for index, (number, line) in enumerate(lines):
        match = _ITEM.match(line)
        if match is None:
            if _ALMOST.match(line):
                yield Problem(document.path, number, "write a requirement as `- **TASK-7** text`")
            continue
        text = " ".join(
            [match["text"], *_continuation(lines[index + 1 :], match["indent"])]
        ).strip()
        if not text:
            yield Problem(document.path, number, f"{match['id']} promises nothing")
        planned = match["id"] in document.planned
        yield Requirement(match["id"], text, document.path, number, document.approved, planned)


def form_problems(document: Document, requirements: list[Requirement]) -> Iterator[Problem]:
    """Find a spec without requirements, ids given before, and planned ids that are not there.

    `requirements` are those of every spec.
    """
    first: dict[str, Requirement] = {}
    for requirement in requirements:
        earlier = first.setdefault(requirement.id, requirement)
        if earlier is not requirement and requirement.path == document.path:
            message = f"{requirement.id} is already at {earlier.path}:{earlier.line}"
            yield Problem(document.path, requirement.line, message)
    own = {requirement.id for requirement in requirements if requirement.path == document.path}
    if not own:
        yield Problem(document.path, 1, "has no requirement")
    for name in document.planned:
        if name not in own:
            yield Problem(document.path, document.planned_line, f"planned {name} is not in here")


def tracing_problems(
    documents: list[Document], requirements: list[Requirement], marks: list[Mark]
) -> Iterator[Problem]:
    """Find approved requirements without a test, planned ones with one, and marks of neither."""
    tested = tests_by_id(marks)
    known = {requirement.id for requirement in requirements}
    lines: Mapping[str, int] = {document.path: document.planned_line for document in documents}
    for item in requirements:
        if item.planned and item.id in tested:
            yield Problem(item.path, lines[item.path], f"{item.id} has a test: take it off planned")
        elif item.approved and not item.planned and item.id not in tested:
            yield Problem(item.path, item.line, f"{item.id} has no test")
    for mark in marks:
        if mark.id not in known:
            yield Problem(mark.path, mark.line, f"{mark.id} names no requirement")


def tests_by_id(marks: list[Mark]) -> dict[str, list[str]]:
    """Return the tests that defend each requirement, as `path::name`."""
    tests: dict[str, list[str]] = {}
    for mark in marks:
        named = tests.setdefault(mark.id, [])
        named.extend(test for test in mark.tests if test not in named)
    return tests


def _outside_fences(document: Document) -> list[tuple[int, str]]:
    lines, fenced = [], False
    for number, line in enumerate(document.body.split("\n"), 1):
        if _FENCE.match(line):
            fenced = not fenced
        elif not fenced:
            lines.append((number, line))
    return lines


def _continuation(lines: list[tuple[int, str]], indent: str) -> Iterator[str]:
    for _, line in lines:
        stripped = line.strip()
        if (
            not stripped
            or not line.startswith(f"{indent} ")
            or re.match(r"([-*+]|\d+\.)\s", stripped)
        ):
            return
        yield stripped
