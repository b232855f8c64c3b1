import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
# In a span or a block of code: "make" is also a word.
_WRITTEN_TARGET = re.compile(r"(?:`|^    (?:\S+=\S+ )*)make ([a-z][a-z-]*)", re.MULTILINE)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A tree with the Makefile and what its set-up depends on, and no .venv."""
    for path in ["Makefile", "requirements/dev.txt", *_pyprojects()]:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    return tmp_path


def _pyprojects() -> list[str]:
    patterns = ("libs/*", "gateway", "services/*")
    found = [path for pattern in patterns for path in ROOT.glob(f"{pattern}/pyproject.toml")]
    return [str(path.relative_to(ROOT)) for path in found]


def _make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # Nothing of the make that may be running these tests reaches the one under test.
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def _python(folder: Path, script: str) -> str:
    python = folder / "fake-python"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    return f"PYTHON={python}"


def test_make_alone_explains_every_target(clone: Path) -> None:
    done = _make(clone)

    told = {line.split()[1] for line in done.stdout.splitlines()}
    phony = {
        name
        for line in (clone / "Makefile").read_text().splitlines()
        if line.startswith(".PHONY:")
        for name in line.split()[1:]
    }
    assert done.returncode == 0
    assert told == phony
    assert {"run", "test", "test-e2e", "token", "check", "specs", "lock", "clean"} <= told


@pytest.mark.spec("OBS-19")
def test_every_target_that_is_written_about_is_there(clone: Path) -> None:
    told = {line.split()[1] for line in _make(clone).stdout.splitlines()}

    folders = ("*.md", "docs/**/*.md", "benchmarks/**/*.md")
    named = {
        name
        for folder in folders
        for path in ROOT.glob(folder)
        for name in _WRITTEN_TARGET.findall(path.read_text())
    }
    assert {"run", "test-faults", "soak"} <= named
    assert named - told == set()


def test_an_old_python_is_named_in_one_line(clone: Path) -> None:
    done = _make(clone, "run", _python(clone, "exit 1"))

    assert done.returncode == 2
    assert done.stderr.splitlines()[0].endswith(
        "fake-python is not Python 3.11 or newer; name one that is: make PYTHON=python3.12"
    )
    assert done.stderr.count("taskgate:") == 1
    assert not (clone / ".venv").exists()


def test_a_python_without_venv_is_named_in_one_line(clone: Path) -> None:
    python = _python(clone, 'case "$2" in *ensurepip*) exit 1;; esac')

    done = _make(clone, "run", python)

    assert done.returncode == 2
    assert "cannot make virtual environments" in done.stderr.splitlines()[0]
    assert done.stderr.count("taskgate:") == 1


@pytest.mark.parametrize("changed", ["requirements/dev.txt", "gateway/pyproject.toml"])
def test_the_environment_is_made_anew_when_a_lock_or_a_pyproject_changes(
    clone: Path, changed: str
) -> None:
    stamp = clone / ".venv" / ".ready"
    stamp.parent.mkdir()
    stamp.touch()
    unchanged = _make(clone, "--question", ".venv/.ready")
    later = stamp.stat().st_mtime + 10

    os.utime(clone / changed, (later, later))

    assert unchanged.returncode == 0
    assert _make(clone, "--question", ".venv/.ready").returncode == 1


@pytest.mark.parametrize(
    ("target", "suite"),
    [
        ("test", "--numprocesses=4 --dist=loadfile --codes"),
        ("test-kit", "libs/service-kit"),
        ("test-devkit", "libs/devkit"),
        ("test-gateway", "gateway"),
        ("test-verifier", "services/auth-verifier"),
        ("test-tasks", "services/tasks"),
        ("test-contract", "tests/contract"),
        ("test-e2e", "tests/e2e"),
        ("test-abuse", "tests/abuse"),
        ("test-containers", "tests/containers"),
    ],
)
def test_each_suite_has_its_target(clone: Path, target: str, suite: str) -> None:
    (clone / ".venv").mkdir()
    (clone / ".venv" / ".ready").touch()

    done = _make(clone, "--dry-run", target)

    assert done.stdout.split() == ["exec", ".venv/bin/python", "-m", "pytest", *suite.split()]
