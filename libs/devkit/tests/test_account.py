import os
from pathlib import Path

import pytest

from devkit.account import let_reach, let_read, run_as

SOMEBODY_ELSE = "nobody" if os.geteuid() == 0 else "root"


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o700)
    return folder


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_reaching_a_path_opens_the_folders_above_it_for_passing_through_only(closed: Path) -> None:
    (closed / "data").mkdir(mode=0o700)

    let_reach(SOMEBODY_ELSE, closed / "data")

    assert _mode(closed) == 0o701
    assert _mode(closed / "data") == 0o700


def test_a_folder_that_is_open_enough_is_left_as_it_is(closed: Path) -> None:
    closed.chmod(0o755)

    let_reach(SOMEBODY_ELSE, closed / "data")

    assert _mode(closed) == 0o755


def test_an_installation_becomes_readable_and_no_more(closed: Path) -> None:
    program, text = closed / "program", closed / "text"
    program.touch(mode=0o700)
    text.touch(mode=0o600)

    let_read(SOMEBODY_ELSE, closed)

    assert [_mode(path) for path in (closed, program, text)] == [0o705, 0o705, 0o604]


def test_our_own_account_changes_nothing() -> None:
    assert run_as(None) == {}
