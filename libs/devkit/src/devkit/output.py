"""Where the processes of a system write: the terminal, or one file each."""

import contextlib
import os
import sys
import threading
from pathlib import Path
from typing import Protocol, TextIO

_NAME_WIDTH = len("auth-verifier")
# Seconds to wait for the end of the output; only a process that outlives its parent holds it open.
_LAST_WORDS = 1.0


class Output(Protocol):
    """Somewhere for each process to write its standard output and error to."""

    def open(self, name: str) -> int:
        """Return a descriptor for the process to write to; the caller closes its own copy."""

    def last_line(self, name: str) -> str:
        """Return the last thing the process said, or an empty string."""


class Terminal:
    """Every line to one stream, behind the name of the process that wrote it."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._writing = threading.Lock()
        self._last: dict[str, str] = {}
        self._readers: dict[str, threading.Thread] = {}

    def open(self, name: str) -> int:
        """Return a pipe whose lines are shown as they come."""
        reading, writing = os.pipe()
        # A thread, so that a terminal held with Ctrl-S does not hold the supervisor too.
        reader = threading.Thread(target=self._copy, args=(name, reading), daemon=True)
        self._readers[name] = reader
        reader.start()
        return writing

    def last_line(self, name: str) -> str:
        """Return the last line of a process, waiting a moment for one that has just ended."""
        if name in self._readers:
            self._readers[name].join(_LAST_WORDS)
        return self._last.get(name, "")

    def say(self, line: str) -> None:
        """Write a line of our own; a reader that has gone away is no reason to stop."""
        # One line at a time: every process has a thread of its own.
        with self._writing, contextlib.suppress(OSError, ValueError):
            self._stream.write(f"{line}\n")
            self._stream.flush()

    def drain(self) -> None:
        """Show the rest of what the processes wrote, once all of them have ended."""
        for reader in self._readers.values():
            reader.join(_LAST_WORDS)

    def _copy(self, name: str, reading: int) -> None:
        with os.fdopen(reading, encoding="utf-8", errors="replace") as lines:
            for raw in lines:
                line = raw.rstrip("\n")
                self._last[name] = line.strip() or self._last.get(name, "")
                self.say(f"{name:<{_NAME_WIDTH}} | {line}")


class LogFolder:
    """One file `<name>.log` for each process, kept over its restarts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def open(self, name: str) -> int:
        """Return the file, to write at its end."""
        return os.open(self._path(name), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def last_line(self, name: str) -> str:
        """Return the last line of the file that is not blank."""
        lines = [line.strip() for line in self.read(name).splitlines() if line.strip()]
        return lines[-1] if lines else ""

    def read(self, name: str) -> str:
        """Return everything the process has written so far."""
        path = self._path(name)
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.log"
