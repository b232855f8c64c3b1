"""What is in our images, and what a container of them may do."""

import json
from collections.abc import Callable

import pytest

from devkit.compose_system import OURS, SERVICES, ComposeSystem, describe

BASE = "python:3.13-slim-bookworm"
MEGABYTE = 1_000_000
LOOK = """
import json, pathlib, shutil
from importlib.util import find_spec
print(json.dumps({
    "programs": [name for name in ("cc", "gcc", "ld", "strip", "make", "uv") if shutil.which(name)],
    "modules": [name for name in ("devkit", "pytest", "hypothesis") if find_spec(name)],
    "pip": [str(path) for path in pathlib.Path("/opt/venv").rglob("pip")],
    "tests": [str(path) for path in pathlib.Path("/opt/app").rglob("test*")],
    "services": sorted(path.name for path in pathlib.Path("/opt/app").iterdir()),
}))
"""


@pytest.mark.spec("CON-1")
@pytest.mark.parametrize("name", OURS)
def test_an_image_holds_its_service_and_little_else(
    system: ComposeSystem, name: str, report: Callable[[str], None]
) -> None:
    package = {"gateway": "gateway_service", "tasks": "tasks_service"}.get(name, "auth_verifier")
    image = system.engine.images.get(system.image(name))
    base = system.engine.images.get(BASE)
    size = image.attrs["Size"]
    added = size - base.attrs["Size"]
    report(f"image {name}: {size / MEGABYTE:.0f} MB, {added / MEGABYTE:.0f} of them ours")

    found = json.loads(system.execute(system.container(name), "python", "-c", LOOK))

    assert found == {
        "programs": [],
        "modules": [],
        "pip": [],
        "tests": [],
        "services": sorted([package, "service_kit"]),
    }
    assert added < 80 * MEGABYTE


@pytest.mark.spec("CON-2")
@pytest.mark.parametrize("name", SERVICES)
def test_a_container_may_do_nothing_but_its_work(system: ComposeSystem, name: str) -> None:
    container = system.container(name)

    status = system.execute(container, "cat", "/proc/1/status")
    facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    written = container.exec_run(["touch", "/anywhere"])
    limits = describe(container)["HostConfig"]

    assert "0" not in facts["Uid"].split()
    assert {int(facts[kind], 16) for kind in ("CapEff", "CapPrm", "CapBnd")} == {0}
    assert facts["NoNewPrivs"] == "1"
    assert written.exit_code != 0
    assert b"Read-only file system" in written.output
    assert limits["Memory"] > 0
    assert limits["PidsLimit"] > 0
    assert limits["LogConfig"]["Config"]["max-size"] == "10m"
    assert limits["RestartPolicy"]["Name"] == "unless-stopped"


@pytest.mark.spec("CON-3")
@pytest.mark.parametrize("name", OURS)
def test_health_needs_no_program_of_its_own(system: ComposeSystem, name: str) -> None:
    health = describe(system.container(name))["Config"]["Healthcheck"]["Test"]

    assert health == ["CMD", "python", "-m", "service_kit.healthcheck"]
