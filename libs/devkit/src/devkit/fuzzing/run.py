"""Runs schemathesis against a system."""

import asyncio
import sys
from pathlib import Path
from typing import NamedTuple

from devkit.process import inherited_environment
from devkit.stack import Stack

_CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
# Named as hooks.py reads it.
_SECRET = "FUZZING_SECRET"  # noqa: S105 - the name of a variable.


class Outcome(NamedTuple):
    """What a run ended with (0: nothing found) and, if it was captured, what it said."""

    exit_code: int
    said: str


async def fuzz(stack: Stack, examples: int, *arguments: str, capture: bool = False) -> Outcome:
    """Try every operation of the system's public document, up to `examples` times in each phase.

    `arguments` are further ones for `schemathesis run`.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", f"--config-file={_CONFIGURATION}", "run"),
        *(f"{stack.url}/openapi.json", f"--max-examples={examples}", *arguments),
        env=inherited_environment() | {_SECRET: stack.secret, "NO_PROXY": "*"},
        stdout=asyncio.subprocess.PIPE if capture else None,
        stderr=asyncio.subprocess.STDOUT if capture else None,
    )
    try:
        said, _ = await process.communicate()
    except asyncio.CancelledError:
        process.terminate()
        await process.wait()
        raise
    return Outcome(await process.wait(), (said or b"").decode(errors="replace"))
