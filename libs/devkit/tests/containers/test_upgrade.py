from pathlib import Path

import pytest

from devkit.containers.upgrade import _leave_seconds
from devkit.errors import DevkitError


@pytest.mark.parametrize(("line", "seconds"), [("", 10), ("LEAVE_SECONDS=3", 3)])
def test_how_long_a_gateway_says_that_it_goes_may_be_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, seconds: int
) -> None:
    (tmp_path / ".env").write_text(line)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LEAVE_SECONDS", raising=False)

    assert _leave_seconds() == seconds


def test_a_mistake_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEAVE_SECONDS", "soon")

    with pytest.raises(DevkitError, match="LEAVE_SECONDS must be a number of seconds, not 'soon'"):
        _leave_seconds()
