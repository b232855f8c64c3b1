"""The lock file: who approved which text of which spec, and when."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path

from devkit.specs.documents import Document
from devkit.specs.problems import Problem

LOCK = "specs/approvals.lock"

Approval = dict[str, str]


def read_lock(root: Path) -> dict[str, Approval]:
    """Return sha256, approved_by and approved_on by path; nothing is locked without the file."""
    path = root / LOCK
    if not path.exists():
        return {}
    lock: dict[str, Approval] = json.loads(path.read_text(encoding="utf-8"))
    return lock


def write_lock(root: Path, lock: Mapping[str, Approval]) -> None:
    """Replace the lock file; sorted, so that approvals merge line by line."""
    text = json.dumps(lock, indent=2, sort_keys=True, ensure_ascii=False)
    (root / LOCK).write_text(f"{text}\n", encoding="utf-8")


def is_locked(document: Document, lock: Mapping[str, Approval]) -> bool:
    """Whether this very text is what was approved."""
    return document.approved and lock.get(document.path) == _entry(document)


def approval_problems(
    documents: list[Document],
    paths: list[str],
    lock: Mapping[str, Approval],
    *,
    allow_drafts: bool,
) -> Iterator[Problem]:
    """Find drafts, approved texts that differ from the lock, and locked files that are gone."""
    for document in documents:
        if not document.approved and not allow_drafts:
            yield Problem(document.path, 1, "is a draft: approve it or take it out")
        elif document.approved and document.path not in lock:
            yield Problem(document.path, 1, f"is called approved but is not in {LOCK}")
        elif document.approved and not is_locked(document, lock):
            by, on = (lock[document.path].get(key) for key in ("approved_by", "approved_on"))
            yield Problem(document.path, 1, f"edited since {by} approved it on {on}: approve again")
    for path in sorted(lock.keys() - set(paths)):
        yield Problem(LOCK, 1, f"{path} is approved, but there is no such file")


def approve(root: Path, documents: list[Document], by: str, on: date) -> None:
    """Write who and when into each spec and the lock."""
    lock = read_lock(root)
    for document in documents:
        header = {"status": "approved", "approved_by": by, "approved_on": on.isoformat()}
        approved = replace(document, header={**document.header, **header})
        (root / document.path).write_text(approved.text, encoding="utf-8")
        lock[document.path] = _entry(approved)
    write_lock(root, lock)


def forget(root: Path, paths: list[str]) -> None:
    """Take specs that are gone off the lock."""
    lock = read_lock(root)
    write_lock(root, {path: entry for path, entry in lock.items() if path not in paths})


def _entry(document: Document) -> Approval:
    by, on = (str(document.header.get(key)) for key in ("approved_by", "approved_on"))
    return {"sha256": document.digest, "approved_by": by, "approved_on": on}
