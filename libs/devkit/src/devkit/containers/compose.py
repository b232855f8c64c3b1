"""Docker Compose, run in the folder we are in."""

import json
import shutil
import subprocess
from typing import IO, Any

from devkit.errors import DevkitError

_COMPOSE = ("docker", "compose")


def compose(
    *arguments: str, stdin: IO[bytes] | None = None, stdout: IO[bytes] | None = None
) -> None:
    """Run a compose command; what it says goes to the terminal.

    Raises `DevkitError` if it fails.
    """
    _check(subprocess.run([*_COMPOSE, *arguments], stdin=stdin, stdout=stdout, check=False))


def ask(*arguments: str) -> str:
    """Run a compose command and return what it prints. Raises `DevkitError` if it fails."""
    done = subprocess.run(
        [*_COMPOSE, *arguments], stdout=subprocess.PIPE, encoding="utf-8", check=False
    )
    _check(done)
    return done.stdout.strip()


def containers(service: str) -> list[str]:
    """Return the ids of a service's running containers, the oldest first."""
    listed = ask("ps", "--quiet", service).split()
    return sorted(listed, key=lambda container: str(inspect(container)["Created"]))


def inspect(container: str) -> dict[str, Any]:
    """Return all that the engine knows of a container."""
    found: dict[str, Any] = json.loads(docker("inspect", container))[0]
    return found


def docker(*arguments: str) -> str:
    """Run a docker command and return what it prints. Raises `DevkitError` if it fails."""
    done = subprocess.run(
        ["docker", *arguments], stdout=subprocess.PIPE, encoding="utf-8", check=False
    )
    _check(done)
    return done.stdout


def check_engine() -> None:
    """Raise `DevkitError` unless Docker and its compose plugin are there."""
    if shutil.which("docker") is None:
        raise DevkitError("Docker is not installed; make run needs none.")
    found = subprocess.run([*_COMPOSE, "version"], capture_output=True, check=False)
    if found.returncode != 0:
        raise DevkitError("Docker's compose plugin is missing (version 2.24 or newer is needed).")


def _check(done: "subprocess.CompletedProcess[Any]") -> None:
    if done.returncode != 0:
        command = " ".join(str(word) for word in done.args[:3])
        raise DevkitError(
            f"{command} failed with exit code {done.returncode}: see its message above."
        )
