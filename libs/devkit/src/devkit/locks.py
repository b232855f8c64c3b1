"""`python -m devkit.locks compile|check`: the hashed locks under `requirements/`.

Each lock's first line holds a SHA-256 over what its pyproject files say about dependencies, so a
lock that is older than one of them is told from its own text.
"""

import hashlib
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devkit.errors import DevkitError

_STAMP = "# pyproject-sha256: "
# A member of the workspace is installed from the workspace.
_MEMBERS = ("taskgate-service-kit", "taskgate-devkit")
_OPTIONS = (
    "--quiet",
    "--universal",
    "--generate-hashes",
    "--python-version=3.11",
    "--no-emit-index-url",
    "--no-emit-find-links",
    "--custom-compile-command=make lock",
    *(f"--no-emit-package={member}" for member in _MEMBERS),
)


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock file and the pyproject files it is compiled from, relative to the project's root."""

    path: str
    sources: tuple[str, ...]
    group: str | None = None


LOCKS = (
    Lock("requirements/gateway.txt", ("gateway/pyproject.toml",)),
    Lock("requirements/auth-verifier.txt", ("services/auth-verifier/pyproject.toml",)),
    Lock("requirements/tasks.txt", ("services/tasks/pyproject.toml",)),
    Lock(
        "requirements/dev.txt",
        (
            "gateway/pyproject.toml",
            "services/auth-verifier/pyproject.toml",
            "services/tasks/pyproject.toml",
            "libs/devkit/pyproject.toml",
            "libs/service-kit/pyproject.toml",
        ),
        group="dev",
    ),
)
_KIT = "libs/service-kit/pyproject.toml"
_ROOT = "pyproject.toml"


def compile_locks(root: Path, *, upgrade: bool, locks: Sequence[Lock] = LOCKS) -> None:
    """Compile every lock with uv, keeping the versions it holds where they still fit.

    Raises `DevkitError` when uv finds no versions that fit.
    """
    for lock in locks:
        group = ["--group", f"{_ROOT}:{lock.group}"] if lock.group else []
        options = [*_OPTIONS, *(["--upgrade"] if upgrade else [])]
        command = ["uv", "pip", "compile", *options, "-o", lock.path, *lock.sources, *group]
        done = subprocess.run([sys.executable, "-m", *command], cwd=root, check=False)
        if done.returncode != 0:
            raise DevkitError(f"uv could not compile {lock.path}: see its message above.")
        path = root / lock.path
        path.write_text(f"{_STAMP}{digest(root, lock)}\n{_unstamped(path.read_text())}")


def check_locks(root: Path, locks: Sequence[Lock] = LOCKS) -> list[str]:
    """Return what is wrong with the locks, one line each."""
    return [problem for lock in locks for problem in _check(root, lock)]


def digest(root: Path, lock: Lock) -> str:
    """Return the SHA-256 over everything in the pyproject files that decides the lock."""
    said = {source: _said(root / source) for source in {*lock.sources, _KIT}}
    if lock.group:
        groups = _read(root / _ROOT).get("dependency-groups", {})
        said[_ROOT] = sorted(map(str, groups.get(lock.group, [])))
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _said(path: Path) -> list[Any]:
    project = _read(path).get("project", {})
    extras = project.get("optional-dependencies", {})
    return [project.get("requires-python"), sorted(project.get("dependencies", [])), extras]


def _read(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def _check(root: Path, lock: Lock) -> list[str]:
    path = root / lock.path
    if not path.exists():
        return [f"{lock.path}: missing; run make lock"]
    lines = path.read_text(encoding="utf-8").splitlines()
    problems = []
    if lines[:1] != [_STAMP + digest(root, lock)]:
        problems.append(f"{lock.path}:1: older than its pyproject files; run make lock")
    problems += [
        f"{lock.path}:{number}: {problem}"
        for number, line in enumerate(lines, start=1)
        if (problem := _check_line(line))
    ]
    return problems


def _check_line(line: str) -> str | None:
    if "://" in line:
        return "names a download address"
    names_package = line[:1].isalnum()
    if names_package and "==" not in line:
        return "not an exact version"
    if names_package and not line.endswith("\\"):
        return "a version without hashes"
    return None


def _unstamped(text: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith(_STAMP))


def main(arguments: Sequence[str]) -> int:
    """Compile or check the locks of the folder we are in."""
    root = Path.cwd()
    if list(arguments) == ["compile"]:
        try:
            compile_locks(root, upgrade=bool(os.environ.get("UPGRADE")))
        except DevkitError as error:
            print(f"taskgate: {error}", file=sys.stderr)
            return 1
        return 0
    if list(arguments) != ["check"]:
        print("usage: python -m devkit.locks compile|check", file=sys.stderr)
        return 2
    problems = check_locks(root)
    print("\n".join(problems) if problems else "Locks match their pyproject files.")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
