"""Where a project keeps its specs and tests, and how to reach the code they describe."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from sqlalchemy import MetaData

TEST_FOLDERS = ("libs/*/tests", "gateway/tests", "services/*/tests", "tests")


class MissingCodeError(Exception):
    """The code a spec describes cannot be imported."""


@dataclass(frozen=True)
class Project:
    """One repository; `openapi` and `tables` are keyed by the stem of the spec that describes them.

    The callables may raise `MissingCodeError`.
    """

    root: Path
    openapi: Mapping[str, Callable[[], dict[str, Any]]] = field(default_factory=dict)
    tables: Mapping[str, Callable[[], MetaData]] = field(default_factory=dict)

    def spec_files(self) -> list[str]:
        """Every spec there is, as a sorted path relative to the root."""
        files = (self.root / "specs").rglob("*.*")
        paths = (path.relative_to(self.root).as_posix() for path in files if path.is_file())
        return sorted(
            path for path in paths if path not in {"specs/README.md", "specs/approvals.lock"}
        )

    def test_files(self) -> list[Path]:
        """Every file pytest collects tests from, absolute and sorted."""
        folders = (folder for glob in TEST_FOLDERS for folder in self.root.glob(glob))
        return sorted({path for folder in folders for path in folder.rglob("test_*.py")})


def taskgate(root: Path) -> Project:
    """Return Taskgate itself; nothing is imported before it is asked for."""
    apps = {
        "gateway": "gateway_service.main:build_api",
        "auth-verifier": "auth_verifier.main:build_api",
        "tasks": "tasks_service.main:build_api",
    }
    return Project(
        root=root,
        openapi={name: partial(_openapi, target) for name, target in apps.items()},
        tables={"tasks": partial(_resolve, "tasks_service.models:metadata")},
    )


def public_document(project: Project) -> dict[str, Any]:
    """Return what clients are shown: the documents of the gateway and of tasks, in one.

    Raises `MissingCodeError`.
    """
    merge: Callable[..., dict[str, Any]] = _resolve("gateway_service.public_document:merge")
    return merge(project.openapi["gateway"](), project.openapi["tasks"](), "")


def _openapi(target: str) -> dict[str, Any]:
    document: dict[str, Any] = _resolve(target)().openapi()
    return document


def _resolve(target: str) -> Any:  # noqa: ANN401 - an import by name can be anything.
    try:
        return resolve_name(target)
    except (ImportError, AttributeError) as error:
        raise MissingCodeError(f"{target} cannot be loaded: {error}") from error
