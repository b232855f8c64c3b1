"""The account PostgreSQL runs under when we are root, which it refuses to be."""

import os
import pwd
import stat
from pathlib import Path
from typing import Any

# PostgreSQL looks its account up by number, so it has to be one that has a name; this one is on
# every system, owns nothing, and may do nothing.
_UNPRIVILEGED = "nobody"


def unprivileged_account() -> str | None:
    """Return the account to run PostgreSQL under, None when our own will do."""
    return _UNPRIVILEGED if os.geteuid() == 0 else None


def run_as(account: str | None) -> dict[str, Any]:
    """Return the arguments that make `subprocess` run a command under the account."""
    if account is None:
        return {}
    group = pwd.getpwnam(account).pw_gid
    # It may not be allowed into the folder we were started in.
    return {"user": account, "group": group, "extra_groups": [], "cwd": "/"}


def give_to(account: str, path: Path) -> None:
    """Make a file or folder the account's own, and let the account reach it."""
    owner = pwd.getpwnam(account)
    os.chown(path, owner.pw_uid, owner.pw_gid)
    let_reach(account, path)


def let_reach(account: str, path: Path) -> None:
    """Let the account pass through the folders above the path.

    Only those closed to it are changed, and by one bit: whoever knows a name inside may pass
    through, nobody may list or read more than before.
    """
    owner = pwd.getpwnam(account).pw_uid
    for folder in path.resolve().parents:
        found = folder.stat()
        if found.st_uid != owner and not found.st_mode & stat.S_IXOTH:
            folder.chmod(stat.S_IMODE(found.st_mode) | stat.S_IXOTH)


def let_read(account: str, tree: Path) -> None:
    """Let the account read and run the files of an installation made under a strict umask."""
    let_reach(account, tree)
    for path in (tree, *tree.rglob("*")):
        mode = stat.S_IMODE(path.stat().st_mode)
        # What the owner may read or run, others may; nothing becomes writable.
        wanted = mode | (mode >> 6) & (stat.S_IROTH | stat.S_IXOTH)
        if wanted != mode:
            path.chmod(wanted)
