"""`make upgrade`: put new containers in the place of the old ones, while everything serves on."""

import time
from collections.abc import Sequence

from devkit.containers.compose import check_engine, compose, containers, docker
from devkit.containers.env_file import env_file, read_variables
from devkit.errors import DevkitError

# A gateway asks every 5 s where the tasks service is.
_UNTIL_KNOWN_SECONDS = 6
_GRACE_SECONDS = "30"
# In which a balancer that asks for /readyz should have noticed that a gateway will go.
_LEAVE_SECONDS = "10"


def upgrade(_arguments: Sequence[str]) -> None:
    """Build, migrate, and replace the three services; PostgreSQL and Redis stay as they are.

    LEAVE_SECONDS is the time between a gateway's announcement that it goes and its end.
    Raises `DevkitError` at the first step that fails; what serves then goes on serving.
    """
    check_engine()
    leave_seconds = _leave_seconds()
    compose("build")
    compose("run", "--rm", "--no-deps", "migrate")
    for service in ("auth-verifier", "tasks"):
        _replace_beside(service)
    _replace_in_place("gateway", leave_seconds)


def _replace_beside(service: str) -> None:
    """Start as many new containers as there are, then end the old ones."""
    old = _running(service)
    _start(service, 2 * len(old))
    time.sleep(_UNTIL_KNOWN_SECONDS)
    for container in old:
        _end(container)


def _replace_in_place(service: str, leave_seconds: int) -> None:
    """End one container and start another, which takes its port; then the next."""
    old = _running(service)
    for container in old:
        if len(old) > 1:
            docker("kill", "--signal=SIGUSR1", container)
            time.sleep(leave_seconds)
        _end(container)
        _start(service, len(old))


def _leave_seconds() -> int:
    text = read_variables(env_file()).get("LEAVE_SECONDS") or _LEAVE_SECONDS
    if not (text.isascii() and text.isdigit()):
        raise DevkitError(f"LEAVE_SECONDS must be a number of seconds, not {text!r}.")
    return int(text)


def _running(service: str) -> list[str]:
    found = containers(service)
    if not found:
        raise DevkitError(f"{service} does not run; start everything with make up.")
    return found


def _start(service: str, number: int) -> None:
    scale = f"--scale={service}={number}"
    compose("up", "--detach", "--wait", "--no-deps", "--no-build", "--no-recreate", scale, service)


def _end(container: str) -> None:
    docker("stop", "-t", _GRACE_SECONDS, container)
    docker("rm", container)
