"""The folder that says which processes belong to a supervisor: one `<name>.pid` file for each.

Beside the pid files lies `processes.json` with the time each of them began. Pid and start time
together prove that a process left over from a supervisor that was killed is ours to end.
"""

import contextlib
import fcntl
import json
import os
import signal
import time
from pathlib import Path

import psutil

from devkit.errors import AlreadyRunningError

# Start times are told from the boot time, which moves a little when the clock is set.
_CLOCK_TOLERANCE = 2.0
_POLL_INTERVAL = 0.02


class RunFolder:
    """The pid files of one supervisor; at most one living supervisor holds the folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None
        self._records: dict[str, dict[str, float]] = {}

    def acquire(self) -> None:
        """Take the folder for this process.

        Raises `AlreadyRunningError` when a living process holds it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            # The kernel gives the lock back however its holder ends, SIGKILL included.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(lock, 32).decode().strip() or "unknown"
            os.close(lock)
            raise AlreadyRunningError(
                f"Already running here (pid {holder}, {self.path}): stop it first, "
                "or choose another DATA_DIR."
            ) from None
        os.truncate(lock, 0)
        os.write(lock, f"{os.getpid()}\n".encode())
        self._lock = lock

    def release(self) -> None:
        """Give the folder back."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def record(self, name: str, pid: int) -> None:
        """Write the pid file of a process that has just been started."""
        with contextlib.suppress(psutil.NoSuchProcess):
            self._records[name] = {"pid": pid, "began": psutil.Process(pid).create_time()}
        # The proof first: a pid file without it could not be acted upon.
        self._save_records()
        _replace(self.path / f"{name}.pid", f"{pid}\n")

    def forget(self, name: str) -> None:
        """Remove the pid file of a process that has ended."""
        (self.path / f"{name}.pid").unlink(missing_ok=True)
        self._records.pop(name, None)
        self._save_records()

    def end_leftovers(self, grace: float = 10) -> list[str]:
        """End the processes of a supervisor that was killed, and return their names.

        The last one started is the first to end. Only for the holder of the folder. What cannot be
        proved to be ours is left alone.
        """
        ended = []
        for name, process in reversed(self._leftovers()):
            _end(process, grace, signal.SIGINT if name == "postgres" else signal.SIGTERM)
            ended.append(name)
        for pid_file in self.path.glob("*.pid"):
            pid_file.unlink()
        self._records = {}
        self._save_records()
        return ended

    def _leftovers(self) -> list[tuple[str, psutil.Process]]:
        try:
            records = json.loads(self._records_path.read_text())
        except (FileNotFoundError, ValueError):
            return []
        found = []
        for name, record in records.items():
            with contextlib.suppress(psutil.NoSuchProcess):
                process = psutil.Process(int(record["pid"]))
                same = abs(process.create_time() - record["began"]) < _CLOCK_TOLERANCE
                if same and lives(process):
                    found.append((name, process))
        return found

    def _save_records(self) -> None:
        _replace(self._records_path, json.dumps(self._records, indent=2) + "\n")

    @property
    def _records_path(self) -> Path:
        return self.path / "processes.json"


def _end(process: psutil.Process, grace: float, number: signal.Signals) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)
        process.resume()
        if not _gone_within(grace, process):
            process.kill()
            _gone_within(grace, process)


def _gone_within(seconds: float, process: psutil.Process) -> bool:
    deadline = time.monotonic() + seconds
    while lives(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_INTERVAL)
    return True


def lives(process: psutil.Process) -> bool:
    """Tell whether it still runs: one that only waits for its parent to notice its end does not."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def _replace(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old text or the new, never half of it."""
    unfinished = path.with_suffix(".new")
    unfinished.write_text(text)
    unfinished.replace(path)
