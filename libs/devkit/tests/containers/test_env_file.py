import stat
from pathlib import Path

import pytest

from devkit.containers.env_file import env_file, read_variables, write_secrets


@pytest.mark.spec("CON-9")
def test_secrets_are_random_and_for_their_owner_only(tmp_path: Path) -> None:
    written = [write_secrets(tmp_path / name) for name in ("one", "two")]

    one, two = (read_variables(tmp_path / name, {}) for name in ("one", "two"))
    assert written == [True, True]
    assert stat.S_IMODE((tmp_path / "one").stat().st_mode) == 0o600
    assert (
        one.keys()
        == two.keys()
        == {
            "IDENTITY_KEY",
            "BETTER_AUTH_SECRET",
            "DATABASE_PASSWORD",
            "POSTGRES_PASSWORD",
            "REDIS_PASSWORD",
            "GRAFANA_PASSWORD",
        }
    )
    every = [*one.values(), *two.values()]
    assert len(set(every)) == len(every)
    assert min(map(len, every)) >= 32


@pytest.mark.spec("CON-9")
def test_a_file_that_is_there_is_never_changed(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("IDENTITY_KEY=\n")

    assert write_secrets(path) is False
    assert path.read_text() == "IDENTITY_KEY=\n"


def test_variables_are_read_as_compose_reads_them(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("# A=1\n\nB=2=3\nC='four'\nD=5\n")

    assert read_variables(path, {"D": "6"}) == {"B": "2=3", "C": "four", "D": "6"}
    assert read_variables(tmp_path / "none", {"D": "6"}) == {"D": "6"}


def test_the_file_is_the_one_compose_is_told_of() -> None:
    assert env_file({}) == Path(".env")
    assert env_file({"COMPOSE_ENV_FILES": "a.env,b.env"}) == Path("a.env")
