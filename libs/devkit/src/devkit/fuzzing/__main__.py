"""`python -m devkit.fuzzing [EXAMPLES [ARGUMENT…]]`, as `make fuzz` runs it."""

import asyncio
import sys

from devkit.fuzzing.run import fuzz
from devkit.stack import running_stack

_EXAMPLES = 100


async def _main(arguments: list[str]) -> int:
    examples = int(arguments[0]) if arguments else _EXAMPLES
    async with running_stack() as stack:
        return (await fuzz(stack, examples, *arguments[1:])).exit_code


if __name__ == "__main__":
    sys.exit(asyncio.run(_main(sys.argv[1:])))
