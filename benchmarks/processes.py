"""The processes that are measured: started together, and read for the CPU time they have used."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil

from devkit.output import LogFolder
from devkit.process import Program
from devkit.supervisor import Supervisor
from devkit.temporary import system_folder

RESULTS = Path(__file__).parent / "results"


class Fleet:
    """Running programs by name, and a `folder` for whatever they need."""

    def __init__(self, folder: Path, supervisor: Supervisor) -> None:
        self.folder = folder
        self._supervisor = supervisor

    async def start(self, program: Program) -> None:
        """Start a program and wait until it is ready."""
        await self._supervisor.start(program)

    async def stop(self, name: str) -> None:
        """End a program."""
        await self._supervisor.stop(name)

    def cpu_seconds(self, name: str) -> float:
        """Return the CPU time a program and its children have used, as /proc tells it."""
        spent = [member.cpu_times() for member in self._family(name)]
        return sum(times.user + times.system for times in spent)

    def memory_mib(self, name: str) -> float:
        """Return the memory that is a program's own, its children's with it."""
        return sum(member.memory_full_info().uss for member in self._family(name)) / 2**20

    def _family(self, name: str) -> list[psutil.Process]:
        process = psutil.Process(self._supervisor.pid(name))
        return [process, *process.children(recursive=True)]


@asynccontextmanager
async def fleet() -> AsyncIterator[Fleet]:
    """Give a fleet, all of which has ended after the block."""
    with system_folder() as (folder, run_folder):
        supervisor = Supervisor(run_folder, LogFolder(folder / "log"), restart=False)
        try:
            yield Fleet(folder, supervisor)
        finally:
            await supervisor.stop_all()


def machine() -> str:
    """Describe the machine in a few words."""
    system = os.uname()
    return f"{os.cpu_count()} CPUs, {system.sysname} {system.machine}"
