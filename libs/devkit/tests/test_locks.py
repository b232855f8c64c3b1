from pathlib import Path

import pytest

from devkit.locks import LOCKS, Lock, check_locks, digest

LOCK = Lock("requirements/a.txt", ("a/pyproject.toml",), group="dev")
PACKAGE = "idna==3.10 \\\n    --hash=sha256:00\n    # via a\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for member in ("a", "libs/service-kit"):
        _write(tmp_path / member / "pyproject.toml", '[project]\ndependencies = ["idna>=3"]\n')
    _write(tmp_path / "pyproject.toml", '[dependency-groups]\ndev = ["ruff"]\n')
    _write(tmp_path / LOCK.path, f"# pyproject-sha256: {digest(tmp_path, LOCK)}\n{PACKAGE}")
    return tmp_path


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.spec("RUN-10")
def test_a_lock_of_todays_pyproject_files_passes(root: Path) -> None:
    assert check_locks(root, [LOCK]) == []


@pytest.mark.spec("RUN-10")
@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ("a/pyproject.toml", '[project]\ndependencies = ["idna>=4"]\n'),
        ("libs/service-kit/pyproject.toml", "[project]\ndependencies = []\n"),
        ("pyproject.toml", '[dependency-groups]\ndev = ["ruff", "mypy"]\n'),
    ],
)
def test_a_lock_older_than_a_pyproject_file_is_refused(root: Path, changed: str, text: str) -> None:
    _write(root / changed, text)

    problems = check_locks(root, [LOCK])

    assert problems == ["requirements/a.txt:1: older than its pyproject files; run make lock"]


def test_what_says_nothing_about_dependencies_leaves_the_lock_good(root: Path) -> None:
    _write(root / "a/pyproject.toml", '[project]\nversion = "2"\ndependencies = ["idna>=3"]\n')

    assert check_locks(root, [LOCK]) == []


@pytest.mark.spec("RUN-10")
@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("--index-url https://packages.example/simple", "names a download address"),
        ("a @ https://packages.example/a.whl", "names a download address"),
        ("idna>=3 \\", "not an exact version"),
        ("idna==3.10", "a version without hashes"),
    ],
)
def test_a_line_that_is_not_an_exact_hashed_version_is_refused(
    root: Path, line: str, problem: str
) -> None:
    with (root / LOCK.path).open("a") as lock:
        lock.write(f"{line}\n")

    problems = check_locks(root, [LOCK])

    assert problems == [f"requirements/a.txt:5: {problem}"]


def test_a_lock_that_is_missing_is_named(root: Path) -> None:
    (root / LOCK.path).unlink()

    assert check_locks(root, [LOCK]) == ["requirements/a.txt: missing; run make lock"]


def test_every_member_is_locked_for_development() -> None:
    root = Path(__file__).parents[3]
    members = [*root.glob("libs/*/pyproject.toml"), *root.glob("services/*/pyproject.toml")]

    assert {str(member.relative_to(root)) for member in members} | {
        "gateway/pyproject.toml"
    } == set(LOCKS[-1].sources)
