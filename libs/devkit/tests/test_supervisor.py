import asyncio
import dataclasses
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

import devkit.supervisor
from devkit.errors import StartError
from devkit.output import LogFolder
from devkit.process import Program
from devkit.run_folder import RunFolder, lives
from devkit.supervisor import Supervisor

FOREVER = "import signal; signal.pause()"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up'); {FOREVER}"
WITH_CHILD = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "{FOREVER}"], start_new_session=%s)
print(child.pid, flush=True)
{FOREVER}
"""


class System:
    """A supervisor of tiny programs, and what it says."""

    def __init__(self, folder: Path, *, restart: bool, grace: float) -> None:
        self.run_folder = RunFolder(folder / "run")
        self.run_folder.acquire()
        self.logs = LogFolder(folder / "log")
        self.said: asyncio.Queue[str] = asyncio.Queue()
        self.supervisor = Supervisor(
            self.run_folder, self.logs, restart=restart, say=self.said.put_nowait, grace=grace
        )

    def program(self, name: str, code: str, *, before: str | None = None) -> Program:
        async def ready() -> bool:
            return bool(self.logs.read(name)) if "print" in code else True

        return Program(
            name=name,
            command=[sys.executable, "-u", "-c", code],
            ready=ready,
            environment={},
            before=None if before is None else [sys.executable, "-c", before],
        )


NewSystem = Callable[..., System]


@pytest.fixture
async def new_system(tmp_path: Path) -> AsyncIterator[NewSystem]:
    systems = []

    def new_system(*, restart: bool = False, grace: float = 30) -> System:
        systems.append(System(tmp_path, restart=restart, grace=grace))
        return systems[-1]

    async with asyncio.timeout(60):
        yield new_system
        for system in systems:
            await system.supervisor.stop_all()
            system.run_folder.release()


@asynccontextmanager
async def _restarting(new_system: NewSystem, code: str) -> AsyncIterator[System]:
    system = new_system(restart=True)
    await system.supervisor.start(system.program("part", code))
    yield system


async def test_a_process_that_keeps_ending_is_tried_again_less_and_less_often(
    new_system: NewSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devkit.supervisor, "_FIRST_DELAY", 0.01)
    async with _restarting(new_system, "raise SystemExit(3)") as system:
        said = [await system.said.get() for _ in range(4)]

    assert said == [
        "part ended (exit code 3): starting it again",
        "part ended (exit code 3): it keeps ending, next try in 0.01 s",
        "part ended (exit code 3): it keeps ending, next try in 0.02 s",
        "part ended (exit code 3): it keeps ending, next try in 0.04 s",
    ]


def test_the_wait_between_tries_starts_at_nothing_and_is_never_long() -> None:
    delays = devkit.supervisor._delays()

    first = [next(delays) for _ in range(9)]

    assert first == [0, 0.25, 0.5, 1, 2, 4, 8, 10, 10]


async def test_a_stopped_process_is_not_started_again(new_system: NewSystem) -> None:
    async with _restarting(new_system, FOREVER) as system:
        process = psutil.Process(system.supervisor.pid("part"))

        await system.supervisor.stop("part")

    assert not lives(process)
    assert system.said.empty()
    assert not (system.run_folder.path / "part.pid").exists()


async def test_a_process_that_ignores_the_signal_is_killed_when_its_time_is_up(
    new_system: NewSystem,
) -> None:
    system = new_system(grace=0.05)
    await system.supervisor.start(system.program("part", STUBBORN))
    process = psutil.Process(system.supervisor.pid("part"))

    await system.supervisor.stop("part")

    assert not lives(process)


async def test_a_paused_process_still_ends_gracefully(new_system: NewSystem) -> None:
    system = new_system()
    code = f"""import signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(print("bye")))
print("up")
{FOREVER}"""
    await system.supervisor.start(system.program("part", code))
    system.supervisor.send("part", signal.SIGSTOP)

    await system.supervisor.stop("part")

    assert system.logs.last_line("part") == "bye"


@pytest.mark.parametrize("own_session", [False, True])
async def test_a_killed_process_takes_its_own_children_with_it(
    new_system: NewSystem, *, own_session: bool
) -> None:
    system = new_system()
    await system.supervisor.start(system.program("part", WITH_CHILD % own_session))
    child = psutil.Process(int(system.logs.last_line("part")))

    await system.supervisor.kill("part")

    while lives(child):  # noqa: ASYNC110 - the kernel ends it, we are not its parent
        await asyncio.sleep(0.01)


async def test_processes_end_in_the_reverse_of_the_order_they_started_in(
    new_system: NewSystem, tmp_path: Path
) -> None:
    system = new_system()
    ends = tmp_path / "ends"
    for name in ("first", "second", "third"):
        code = f"""import signal, sys
def end(*_):
    open({str(ends)!r}, "a").write("{name} ")
    sys.exit()
signal.signal(signal.SIGTERM, end)
print("up")
{FOREVER}"""
        await system.supervisor.start(system.program(name, code))

    await system.supervisor.stop_all()

    assert ends.read_text().split() == ["third", "second", "first"]


async def test_a_process_that_ends_at_its_first_start_is_an_error_with_its_last_words(
    new_system: NewSystem,
) -> None:
    system = new_system(restart=True)
    program = system.program("part", "import sys; sys.exit('no key')  # never prints")

    with pytest.raises(StartError, match=r"^part did not start \(exit code 1\): no key$"):
        await system.supervisor.start(_never_ready(program))

    assert system.said.empty()


def _never_ready(program: Program) -> Program:
    async def never() -> bool:
        return False

    return dataclasses.replace(program, ready=never)


async def test_a_process_that_is_never_ready_is_an_error(
    new_system: NewSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devkit.supervisor, "_READY_LIMIT", 0.1)
    system = new_system()

    with pytest.raises(StartError, match="part was not ready within"):
        await system.supervisor.start(_never_ready(system.program("part", FOREVER)))


async def test_a_program_that_does_not_exist_is_an_error(new_system: NewSystem) -> None:
    system = new_system()
    program = system.program("part", FOREVER)
    missing = dataclasses.replace(program, command=["/no/such/program"])

    with pytest.raises(StartError, match="part cannot be started"):
        await system.supervisor.start(missing)


async def test_what_has_to_come_before_runs_once_and_first(new_system: NewSystem) -> None:
    system = new_system()
    program = system.program("part", f"print('up'); {FOREVER}", before="print('before')")

    async with asyncio.timeout(30):
        await system.supervisor.start(_ready_after(program, system, "before up"))
        await system.supervisor.stop("part")
        await system.supervisor.start(_ready_after(program, system, "before up up"))


def _ready_after(program: Program, system: System, words: str) -> Program:
    async def said() -> bool:
        return system.logs.read(program.name).split() == words.split()

    return dataclasses.replace(program, ready=said)


async def test_a_program_is_not_started_when_what_comes_before_fails(
    new_system: NewSystem,
) -> None:
    system = new_system()
    program = system.program("part", "print('started')", before="raise SystemExit('too old')")

    with pytest.raises(StartError, match="too old"):
        await system.supervisor.start(program)

    assert system.logs.read("part").split() == ["too", "old"]
