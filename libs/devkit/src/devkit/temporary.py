"""Temporary folders for the systems of a test session, with nothing left running in them."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from devkit.errors import AlreadyRunningError
from devkit.run_folder import RunFolder

_PREFIX = "taskgate-test-"
_ours: list[RunFolder] = []


@contextmanager
def system_folder() -> Iterator[tuple[Path, RunFolder]]:
    """Give a new folder and the run folder within it, held; both are gone after the block."""
    path = Path(tempfile.mkdtemp(prefix=_PREFIX))
    run_folder = RunFolder(path / "run")
    run_folder.acquire()
    _ours.append(run_folder)
    try:
        yield path, run_folder
    finally:
        _ours.remove(run_folder)
        run_folder.release()
        shutil.rmtree(path, ignore_errors=True)


def end_ours() -> None:
    """End whatever still runs in the folders this process holds."""
    for run_folder in _ours:
        run_folder.end_leftovers(grace=5)


def end_abandoned() -> None:
    """End what test sessions that were killed left running, and remove their folders.

    A folder whose session still lives is locked, and one that is another account's cannot be
    opened: both are left alone.
    """
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        run_folder = RunFolder(path / "run")
        try:
            # Its first holder writes its pid there; before that, the folder is just being made.
            if not (run_folder.path / "lock").stat().st_size:
                continue
            run_folder.acquire()
        except (AlreadyRunningError, OSError):
            continue
        try:
            run_folder.end_leftovers(grace=5)
        finally:
            run_folder.release()
        shutil.rmtree(path, ignore_errors=True)
