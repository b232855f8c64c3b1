"""Starts processes in order, starts again those that die, and ends all of them in reverse order."""

import asyncio
import itertools
import signal
import time
from collections.abc import Callable, Iterator

from devkit.errors import StartError
from devkit.output import Output
from devkit.process import Process, Program
from devkit.run_folder import RunFolder

_READY_LIMIT = 60.0
_PROBE_INTERVAL = 0.05
# A process that has lived this long did start: its death begins a new count.
_STEADY = 5.0
_FIRST_DELAY, _LONGEST_DELAY = 0.25, 10.0


class Supervisor:
    """The processes of one system, in the order they were started.

    With `restart`, a process that ends without having been told to is started again at once,
    and less and less often while it keeps ending. `grace` is how many seconds a process gets to
    end by itself before it is killed.
    """

    def __init__(
        self,
        folder: RunFolder,
        output: Output,
        *,
        restart: bool,
        say: Callable[[str], None] = lambda _: None,
        grace: float = 12.0,
    ) -> None:
        self._folder = folder
        self._output = output
        self._restart = restart
        self._say = say
        self.grace = grace
        self._processes: dict[str, Process] = {}
        self._keepers: dict[str, asyncio.Task[None]] = {}
        self._prepared: set[str] = set()

    async def start(self, program: Program) -> None:
        """Start the program and wait until it is ready; one that still runs is left as it is.

        Raises `StartError` when it cannot be executed, ends, or is not ready within a minute.
        """
        running = self._processes.get(program.name)
        if running is not None and running.exit_code is None:
            return
        if program.before is not None and program.name not in self._prepared:
            await self._prepare(program)
        await self._spawn(program)
        await self._until_ready(program)
        self._prepared.add(program.name)
        if self._restart:
            keeper = asyncio.create_task(self._keep(program), name=f"keep {program.name}")
            self._keepers[program.name] = keeper

    def send(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a process."""
        self._processes[name].send(number)

    def pid(self, name: str) -> int:
        """Return the pid of a process, which changes when it is started again."""
        return self._processes[name].pid

    async def kill(self, name: str) -> None:
        """End a process at once and wait until it is gone."""
        process = self._processes[name]
        process.kill()
        await process.wait()

    async def stop(self, name: str) -> None:
        """End a process for good, gracefully if it can; one that has ended already is forgotten."""
        keeper = self._keepers.pop(name, None)
        if keeper is not None:
            keeper.cancel()
            await asyncio.wait([keeper])
        process = self._processes.get(name)
        if process is not None:
            await process.stop(self.grace)
            del self._processes[name]
            self._folder.forget(name)

    async def stop_all(self) -> None:
        """End every process, the last one started first."""
        for name in reversed(list(self._processes)):
            await self.stop(name)

    def kill_all(self) -> None:
        """End every process at once, without waiting for it to be gone."""
        for process in self._processes.values():
            process.kill()

    async def _prepare(self, program: Program) -> None:
        await self._spawn(program, before=True)
        process = self._processes[program.name]
        if await process.wait() != 0:
            raise self._start_error(program.name, process)

    async def _spawn(self, program: Program, *, before: bool = False) -> None:
        command = program.before if before and program.before else program.command
        try:
            process = await Process.spawn(program, command, self._output)
        except OSError as error:
            raise StartError(f"{program.name} cannot be started: {error}") from error
        self._processes[program.name] = process
        self._folder.record(program.name, process.pid)

    async def _until_ready(self, program: Program) -> None:
        process = self._processes[program.name]
        try:
            async with asyncio.timeout(_READY_LIMIT):
                while not await program.ready():
                    if process.exit_code is not None:
                        raise self._start_error(program.name, process)
                    await asyncio.sleep(_PROBE_INTERVAL)
        except TimeoutError:
            limit = f"{_READY_LIMIT:.0f} seconds"
            raise StartError(f"{program.name} was not ready within {limit}.") from None

    def _start_error(self, name: str, process: Process) -> StartError:
        reason = self._output.last_line(name) or "it said nothing"
        return StartError(f"{name} did not start ({_ending(process.exit_code)}): {reason}")

    async def _keep(self, program: Program) -> None:
        delays = _delays()
        while True:
            began = time.monotonic()
            code = await self._processes[program.name].wait()
            if time.monotonic() - began > _STEADY:
                delays = _delays()
            await self._start_again(program, _ending(code), delays)

    async def _start_again(self, program: Program, ending: str, delays: Iterator[float]) -> None:
        delay = next(delays)
        when = f"it keeps ending, next try in {delay:g} s" if delay else "starting it again"
        self._say(f"{program.name} ended ({ending}): {when}")
        await asyncio.sleep(delay)
        try:
            await self._spawn(program)
        except StartError as error:
            await self._start_again(program, str(error), delays)


def _delays() -> Iterator[float]:
    """Yield how long to wait before each try: nothing first, then ever longer up to a limit."""
    yield 0
    for tries in itertools.count():
        yield min(_FIRST_DELAY * 2**tries, _LONGEST_DELAY)


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        return signal.Signals(-code).name
    return f"exit code {code}"
