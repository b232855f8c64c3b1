"""One process of a system: how it is started, signalled and ended."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import psutil

from devkit.account import run_as
from devkit.output import Output
from devkit.readiness import Probe

# What any program may need to know of the machine; everything else is given by name.
_INHERITED = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "PYTHONPATH",
)
_FOR_ALL = frozenset((signal.SIGSTOP, signal.SIGCONT, signal.SIGKILL))


@dataclass(frozen=True, slots=True)
class Program:
    """What to run, and how to tell that it is ready.

    `before` is a command run to its end, in the same environment, before the first start.
    `environment` comes on top of the few variables every program inherits (PATH, HOME, …).
    """

    name: str
    command: Sequence[str]
    ready: Probe
    environment: Mapping[str, str]
    before: Sequence[str] | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    account: str | None = None


class Process:
    """A running program, in a session of its own: Ctrl-C at the terminal does not reach it."""

    def __init__(self, process: asyncio.subprocess.Process, stop_signal: signal.Signals) -> None:
        self._process = process
        self._stop_signal = stop_signal
        self.pid = process.pid

    @classmethod
    async def spawn(cls, program: Program, command: Sequence[str], output: Output) -> "Process":
        """Start one of the program's commands. Raises `OSError` when it cannot be executed."""
        with _descriptor(output, program.name) as descriptor:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=descriptor,
                stderr=descriptor,
                start_new_session=True,
                env=inherited_environment() | dict(program.environment),
                **run_as(program.account),
            )
        return cls(process, program.stop_signal)

    @property
    def exit_code(self) -> int | None:
        """The exit code, minus the signal's number when one ended it, None while it runs."""
        return self._process.returncode

    async def wait(self) -> int:
        """Wait for its end and return the exit code."""
        return await self._process.wait()

    def send(self, number: signal.Signals) -> None:
        """Send a signal; a process that has ended meanwhile is left alone.

        SIGSTOP, SIGCONT and SIGKILL reach its children too: PostgreSQL's answer on without it.
        """
        if self._process.returncode is not None:
            return
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.pid)
            family = process.children(recursive=True) if number in _FOR_ALL else []
            for member in (process, *family):
                with contextlib.suppress(psutil.NoSuchProcess):
                    member.send_signal(number)

    def kill(self) -> None:
        """End it and what it started, at once, be it in other sessions or left by its parent."""
        if self._process.returncode is None:
            self.send(signal.SIGKILL)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    async def stop(self, grace: float) -> None:
        """Ask it to end, and kill it when it has not done so within `grace` seconds."""
        self.send(self._stop_signal)
        self.send(signal.SIGCONT)
        try:
            async with asyncio.timeout(grace):
                await self.wait()
        except TimeoutError:
            return
        finally:
            self.kill()
            await self.wait()


def inherited_environment() -> dict[str, str]:
    """Return the variables of our own environment that every program gets."""
    return {name: os.environ[name] for name in _INHERITED if name in os.environ}


@contextlib.contextmanager
def _descriptor(output: Output, name: str) -> Iterator[int]:
    descriptor = output.open(name)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
