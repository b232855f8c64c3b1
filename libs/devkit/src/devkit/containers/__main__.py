"""`python -m devkit.containers up`: what the Makefile runs."""

import sys
from collections.abc import Callable, Mapping, Sequence

from devkit.containers.backup import backup, restore
from devkit.containers.up import up
from devkit.containers.upgrade import upgrade
from devkit.errors import DevkitError

_COMMANDS: Mapping[str, Callable[[Sequence[str]], None]] = {
    "up": up,
    "upgrade": upgrade,
    "backup": backup,
    "restore": restore,
}


def main(arguments: Sequence[str]) -> int:
    """Run one command; return its exit code."""
    command = _COMMANDS.get(arguments[0]) if arguments else None
    if command is None:
        print(f"usage: python -m devkit.containers {'|'.join(_COMMANDS)}", file=sys.stderr)
        return 2
    try:
        command(arguments[1:])
    except (DevkitError, OSError) as error:
        print(f"taskgate: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
