import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from devkit.errors import AlreadyRunningError
from devkit.run_folder import RunFolder, lives

FOREVER = [sys.executable, "-c", "import signal; signal.pause()"]


@pytest.fixture
def process() -> Iterator[psutil.Process]:
    with subprocess.Popen(FOREVER) as started:
        try:
            yield psutil.Process(started.pid)
        finally:
            started.kill()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[RunFolder]:
    run_folder = RunFolder(tmp_path / "run")
    run_folder.acquire()
    yield run_folder
    run_folder.release()


def _abandoned(folder: RunFolder) -> RunFolder:
    """Give the folder as the next supervisor finds it when this one was killed."""
    return RunFolder(folder.path)


def test_a_held_folder_is_refused_and_a_released_one_is_not(folder: RunFolder) -> None:
    with pytest.raises(AlreadyRunningError):
        RunFolder(folder.path).acquire()

    folder.release()

    folder.acquire()


@pytest.mark.spec("RUN-2")
def test_a_pid_file_holds_the_pid_and_nothing_else(
    folder: RunFolder, process: psutil.Process
) -> None:
    folder.record("tasks", process.pid)

    assert (folder.path / "tasks.pid").read_text() == f"{process.pid}\n"


@pytest.mark.spec("RUN-6")
def test_a_leftover_is_ended_and_its_pid_file_removed(
    folder: RunFolder, process: psutil.Process
) -> None:
    folder.record("tasks", process.pid)

    ended = _abandoned(folder).end_leftovers()

    assert ended == ["tasks"]
    assert not lives(process)
    assert list(folder.path.glob("*.pid")) == []


@pytest.mark.spec("RUN-6")
def test_a_leftover_that_hangs_is_killed(folder: RunFolder) -> None:
    ignores = "import signal; signal.signal(15, signal.SIG_IGN); print(flush=True); signal.pause()"
    with subprocess.Popen([sys.executable, "-c", ignores], stdout=subprocess.PIPE) as started:
        assert started.stdout is not None
        started.stdout.readline()
        folder.record("tasks", started.pid)

        _abandoned(folder).end_leftovers(grace=0.05)

        assert started.wait(30) == -9


@pytest.mark.spec("RUN-6")
def test_a_process_that_only_took_over_the_pid_is_left_alone(
    folder: RunFolder, process: psutil.Process
) -> None:
    record = {"pid": process.pid, "began": process.create_time() - 60}
    (folder.path / "processes.json").write_text(json.dumps({"tasks": record}))

    ended = _abandoned(folder).end_leftovers()

    assert ended == []
    assert lives(process)


@pytest.mark.spec("RUN-6")
@pytest.mark.parametrize("records", ["", "{", '{"tasks": {"pid": 999999999, "began": 1.0}}'])
def test_records_that_prove_nothing_end_nothing(folder: RunFolder, records: str) -> None:
    (folder.path / "processes.json").write_text(records)

    assert _abandoned(folder).end_leftovers() == []
