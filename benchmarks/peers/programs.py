"""How the peers are run, each on a port of its own."""

import getpass
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from string import Template

from devkit.ports import free_port
from devkit.process import Program
from devkit.readiness import answers_http

_HERE = Path(__file__).parent
_PACKAGES = {"nginx": "nginx", "haproxy": "haproxy", "wrk": "wrk"}


def require_packages() -> None:
    """End the process with a line that says what to install, unless all is there."""
    missing = [package for command, package in _PACKAGES.items() if _found(command) is None]
    if missing:
        sys.exit(f"make bench needs {', '.join(missing)}: apt-get install {' '.join(missing)}")


def nginx(name: str, config: str, folder: Path, values: Mapping[str, object]) -> Program:
    """Return how to run nginx with one of our configurations."""
    file = _write(config, folder, {**values, "user": getpass.getuser()})
    command = [_found("nginx") or "nginx", "-e", str(folder / f"{name}.log"), "-c", str(file)]
    return Program(name, command, answers_http(_port(values), "/healthz"), {})


def haproxy(folder: Path, values: Mapping[str, object]) -> Program:
    """Return how to run HAProxy."""
    file = _write("haproxy.cfg", folder, values)
    command = [_found("haproxy") or "haproxy", "-db", "-f", str(file)]
    return Program("haproxy", command, answers_http(_port(values), "/healthz"), {})


def python(name: str, module: str, environment: Mapping[str, str]) -> tuple[Program, int]:
    """Return how to run one of the peers in Python, and its port."""
    port = free_port()
    address = ["--factory", f"benchmarks.peers.{module}:create_app", "--port", str(port)]
    command = [sys.executable, "-m", "uvicorn", *address, "--no-access-log"]
    return Program(name, command, answers_http(port, "/healthz"), environment), port


def _write(config: str, folder: Path, values: Mapping[str, object]) -> Path:
    template = Template((_HERE / f"{config}.template").read_text())
    file = folder / config
    file.write_text(template.substitute(values, folder=folder))
    return file


def _port(values: Mapping[str, object]) -> int:
    return int(str(values["port"]))


def _found(command: str) -> str | None:
    # The system's own servers are not on everybody's PATH.
    return shutil.which(command) or shutil.which(command, path="/usr/sbin:/usr/local/sbin")
