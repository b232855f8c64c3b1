"""A clock that can be set while it is in use, for programs of ours that are given it."""

import os
from pathlib import Path

from devkit.stepped_clock.sitecustomize import OFFSET, VARIABLE


class SteppedClock:
    """Shows the right time until it is stepped; each process that has it sees that at once.

    What times something (timeouts, pauses) goes on as it was, as on a machine whose clock is set.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._file.write_bytes(OFFSET.pack(0.0))

    @property
    def environment(self) -> dict[str, str]:
        """The variables that give a Python program this clock, and each process it starts."""
        paths = [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
        return {"PYTHONPATH": os.pathsep.join(paths), VARIABLE: str(self._file)}

    def step(self, seconds: float) -> None:
        """Let it be so many seconds ahead of the right time, or behind it."""
        with self._file.open("r+b") as file:
            file.write(OFFSET.pack(seconds))
