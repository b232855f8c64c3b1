"""What each service reads from its environment is listed, and reaches it in every way to run it."""

import re
from pathlib import Path

import pytest
import yaml

from auth_verifier.settings import Settings as VerifierSettings
from devkit.services import Services
from gateway_service.settings import Settings as GatewaySettings
from service_kit.settings import ServiceSettings
from tasks_service.settings import TasksSettings

ROOT = Path(__file__).parents[2]
SERVICES: dict[str, type[ServiceSettings]] = {
    "auth-verifier": VerifierSettings,
    "tasks": TasksSettings,
    "gateway": GatewaySettings,
}


def variables(settings: type[ServiceSettings]) -> set[str]:
    return {name.upper() for name in settings.model_fields}


@pytest.mark.spec("RUN-12")
def test_every_variable_a_service_reads_is_in_the_example() -> None:
    text = (ROOT / ".env.example").read_text()
    listed = set(re.findall(r"^([A-Z_]+)=", text, re.MULTILINE))

    for settings in SERVICES.values():
        assert variables(settings) - listed == set()


@pytest.mark.spec("RUN-7")
@pytest.mark.parametrize("name", SERVICES)
def test_make_run_passes_a_service_all_it_reads_and_no_more(name: str) -> None:
    every = {variable for settings in SERVICES.values() for variable in variables(settings)}
    system = Services(
        database_url="d",
        redis_url="r",
        auth_secret="s",
        identity_key="i",
        gateway_port=1,
        public_url="u",
        settings=dict.fromkeys(every, "set"),
    )
    programs = {p.name: p for p in (system.verifier(), system.tasks(), system.gateway())}

    given = set(programs[name].environment) & every

    assert given == variables(SERVICES[name])


@pytest.mark.parametrize("name", SERVICES)
def test_compose_passes_a_service_all_it_reads(name: str) -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())

    given = set(compose["services"][name]["environment"])

    assert variables(SERVICES[name]) - given == set()


def test_every_variable_compose_reads_is_in_the_example() -> None:
    read = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "docker-compose.yml").read_text()))
    text = (ROOT / ".env.example").read_text()
    listed = set(re.findall(r"^([A-Z_]+)=", text, re.MULTILINE))

    assert read - {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"} <= listed


@pytest.mark.spec("OBS-1")
def test_compose_sets_the_port_of_the_metrics_and_publishes_it_nowhere() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]

    assert {compose[name]["environment"]["METRICS_PORT"] for name in SERVICES} == {"9100"}
    published = {
        name: one["ports"]
        for name, one in compose.items()
        if "ports" in one and "profiles" not in one
    }
    assert published == {"gateway": ["${GATEWAY_BIND:-127.0.0.1}:${GATEWAY_PORT:-8080}:8000"]}
