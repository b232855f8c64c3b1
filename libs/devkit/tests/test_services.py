"""What the services of a system are given."""

from dataclasses import replace
from pathlib import Path

import pytest

from devkit.services import Services


def _services(file: Path) -> Services:
    return Services(
        database_url="d",
        redis_url="r",
        auth_secret="a",
        identity_key="i",
        gateway_port=1,
        public_url="u",
        settings={"AUTH_ISSUERS_FILE": str(file), "ALPHA_SECRET": "s", "UNRELATED_SECRET": "x"},
    )


@pytest.mark.spec("AUTH-33")
def test_the_verifier_alone_gets_the_issuers_file_and_the_secrets_it_names(tmp_path: Path) -> None:
    file = tmp_path / "issuers.toml"
    file.write_text('[alpha]\nsecrets_env = "ALPHA_SECRET"\n[beta]\njwks_url = "https://b.test"\n')
    services = _services(file)

    given = services.verifier().environment
    others = {**services.tasks().environment, **services.gateway().environment}

    assert (given["AUTH_ISSUERS_FILE"], given["ALPHA_SECRET"]) == (str(file), "s")
    assert "UNRELATED_SECRET" not in given
    assert not {"AUTH_ISSUERS_FILE", "ALPHA_SECRET"} & set(others)


@pytest.mark.spec("AUTH-33")
@pytest.mark.parametrize("text", [None, "[alpha", "leeway = 1", "[alpha]\nsecrets_env = 1"])
def test_what_is_wrong_with_the_issuers_file_is_left_to_the_verifier(
    tmp_path: Path, text: str | None
) -> None:
    file = tmp_path / "issuers.toml"
    if text is not None:
        file.write_text(text)

    given = _services(file).verifier().environment

    assert given["AUTH_ISSUERS_FILE"] == str(file)


def test_on_one_machine_each_service_has_a_port_for_metrics_of_its_own(tmp_path: Path) -> None:
    services = replace(_services(tmp_path / "none"), settings={"METRICS_PORT": "9100"})

    ports = [
        program.environment["METRICS_PORT"]
        for program in (services.gateway(), services.verifier(), services.tasks())
    ]

    assert ports == ["9100", "9101", "9102"]


@pytest.mark.spec("OBS-6")
def test_services_are_served_as_in_their_images_and_several_workers_only_where_asked_for(
    tmp_path: Path,
) -> None:
    services = replace(_services(tmp_path / "none"), settings={"TASKS_WORKERS": "2"})

    commands = (services.tasks().command, services.gateway().command)
    assert ["service_kit.serve" in command for command in commands] == [True, True]
    assert ["--workers-from" in command for command in commands] == [True, False]
