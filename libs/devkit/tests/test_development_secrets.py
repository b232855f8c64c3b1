from pathlib import Path

import pytest

from devkit.development_secrets import load_secrets

NAMES = {"BETTER_AUTH_SECRET", "IDENTITY_KEY", "DATABASE_PASSWORD", "REDIS_PASSWORD"}


@pytest.mark.spec("RUN-7")
def test_missing_secrets_are_generated_long_and_different(tmp_path: Path) -> None:
    secrets = load_secrets(tmp_path / "data", {})

    assert set(secrets) == NAMES
    assert len(set(secrets.values())) == 4
    assert all(len(value) >= 32 for value in secrets.values())


@pytest.mark.spec("RUN-7")
def test_generated_secrets_are_kept_between_runs(tmp_path: Path) -> None:
    assert load_secrets(tmp_path, {}) == load_secrets(tmp_path, {})


@pytest.mark.spec("RUN-7")
def test_only_the_owner_can_read_the_file_even_when_it_was_open_before(tmp_path: Path) -> None:
    (tmp_path / "secrets.env").touch(mode=0o644)

    load_secrets(tmp_path, {})

    assert (tmp_path / "secrets.env").stat().st_mode & 0o777 == 0o600


@pytest.mark.spec("RUN-7")
def test_a_secret_from_the_environment_wins_and_is_not_written_down(tmp_path: Path) -> None:
    kept = load_secrets(tmp_path, {})

    given = load_secrets(tmp_path, {"BETTER_AUTH_SECRET": "from-the-environment"})

    assert given == kept | {"BETTER_AUTH_SECRET": "from-the-environment"}
    assert "from-the-environment" not in (tmp_path / "secrets.env").read_text()


def test_a_secret_missing_from_the_file_is_added_beside_the_others(tmp_path: Path) -> None:
    before = load_secrets(tmp_path, {"IDENTITY_KEY": "given", "REDIS_PASSWORD": ""})

    after = load_secrets(tmp_path, {})

    assert after == before | {"IDENTITY_KEY": after["IDENTITY_KEY"]}
    assert after["IDENTITY_KEY"] != "given"
