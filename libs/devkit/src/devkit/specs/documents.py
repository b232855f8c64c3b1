"""Spec files: an approval header and the text it speaks for."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from devkit.specs import yaml_format
from devkit.specs.problems import Problem, SpecFormatError

_FRONT_MATTER = re.compile(r"\A---\n(?P<header>.*?)^---$", re.DOTALL | re.MULTILINE)
_X_APPROVAL = re.compile(r"^x-approval:[^\n]*\n(?:[ \t][^\n]*\n)*", re.MULTILINE)
_KEYS = ("status", "approved_by", "approved_on", "planned")


@dataclass(frozen=True)
class Document:
    """One spec; `path` is relative to the repository, `before` and `after` surround the header.

    Markdown keeps its header as front matter, YAML under the top-level key `x-approval`.
    `planned_line` and `after_line` are where those stand in the file, counted from 1.
    """

    path: str
    before: str
    header: Mapping[str, Any]
    after: str
    planned_line: int = 1
    after_line: int = 1

    @property
    def approved(self) -> bool:
        """Whether the header says so; only the lock file proves it."""
        return bool(self.header["status"] == "approved")

    @property
    def planned(self) -> list[str]:
        """What is approved and not built yet."""
        return list(self.header.get("planned") or [])

    @property
    def text(self) -> str:
        """The whole file, its header written in the one canonical way."""
        header = {key: self.header[key] for key in _KEYS if self.header.get(key)}
        if "approved_on" in header:
            header["approved_on"] = date.fromisoformat(header["approved_on"])
        nested = header if self.path.endswith(".md") else {"x-approval": header}
        return self.before + yaml_format.dump(nested) + self.after

    @property
    def body(self) -> str:
        """The file with blank lines for its header, so that every line keeps its number."""
        gap = self.after_line - 1 - self.before.count("\n")
        return self.before + "\n" * gap + self.after

    @property
    def digest(self) -> str:
        """SHA-256 of the text without its `planned` entry: building a thing edits no promise."""
        unplanned = replace(self, header={**self.header, "planned": None})
        return hashlib.sha256(f"{unplanned.text.rstrip()}\n".encode()).hexdigest()


def read_document(root: Path, path: str) -> Document:
    """Read one spec.

    Raises `SpecFormatError` if its approval header is missing or malformed.
    """
    text = (root / path).read_text(encoding="utf-8")
    document = _markdown(path, text) if path.endswith(".md") else _yaml(path, text)
    for line, message in _header_problems(document.header):
        raise SpecFormatError(line, message)
    return document


def read_documents(root: Path, paths: list[str]) -> tuple[list[Document], list[Problem]]:
    """Read the specs that can be read, and say what is wrong with the others."""
    documents, problems = [], []
    for path in paths:
        try:
            documents.append(read_document(root, path))
        except SpecFormatError as error:
            problems.append(Problem(path, error.line, error.message))
    return documents, problems


def _markdown(path: str, text: str) -> Document:
    match = _FRONT_MATTER.match(text)
    if match is None:
        raise SpecFormatError(1, "needs front matter with a status")
    start, end = match.span("header")
    header = yaml_format.load("\n" + match["header"])
    after_line = text.count("\n", 0, end) + 1
    return Document(
        path, text[:start], header.data, text[end:], header.line(("planned",)), after_line
    )


def _yaml(path: str, text: str) -> Document:
    match = _X_APPROVAL.search(text)
    if match is None:
        raise SpecFormatError(1, "needs the key x-approval with a status")
    loaded = yaml_format.load(match[0])
    start, end = match.span()
    planned_line = text.count("\n", 0, start) + loaded.line(("x-approval", "planned"))
    after_line = text.count("\n", 0, end) + 1
    header = loaded.data["x-approval"]
    return Document(path, text[:start], header, text[end:], planned_line, after_line)


def _header_problems(header: object) -> Iterator[tuple[int, str]]:
    if not isinstance(header, dict) or header.get("status") not in {"draft", "approved"}:
        yield 1, "status must be draft or approved"
        return
    if unknown := sorted(header.keys() - set(_KEYS)):
        yield 1, f"the approval header has unknown keys: {', '.join(unknown)}"
    planned = header.get("planned") or []
    if not isinstance(planned, list) or not all(isinstance(name, str) for name in planned):
        yield 1, "planned must be a list of names"
    try:
        date.fromisoformat(header.get("approved_on") or "2000-01-01")
    except (TypeError, ValueError):
        yield 1, "approved_on must be a date such as 2026-01-31"
