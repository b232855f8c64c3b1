"""`make backup` and `make restore`: the database in one file, and back."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

from devkit.containers.compose import check_engine, compose
from devkit.errors import DevkitError

_DATABASE, _ROLE = "taskgate", "taskgate"
_NEW = "taskgate_restored"
_IN_POSTGRES = ("exec", "-T", "postgres")
# What was written since the backup is gone, and its numbers are given again: no cursor from
# before may count. A backup from before there were epochs gets them when it is migrated.
NEW_EPOCHS = """
DO $$ BEGIN
  UPDATE account SET epoch = DEFAULT;
EXCEPTION WHEN undefined_column OR undefined_table THEN NULL;
END $$
"""


def backup(arguments: Sequence[str]) -> None:
    """Write the database as it is now into a file of its own, or into the one that is named.

    Raises `DevkitError` when that fails; there is no half a file then.
    """
    check_engine()
    path = Path(arguments[0] if arguments else time.strftime("taskgate-%Y%m%d-%H%M%S.dump"))
    if path.exists():
        raise DevkitError(f"{path} is there already: name another file.")
    part = path.with_name(f"{path.name}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            dump = ("pg_dump", "--username=postgres", "--format=custom", _DATABASE)
            compose(*_IN_POSTGRES, *dump, stdout=file)
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)
    print(f"taskgate: wrote {path} ({path.stat().st_size} bytes)")


def restore(arguments: Sequence[str]) -> None:
    """Put the database of a file in the place of the present one, and start everything.

    Raises `DevkitError` when that fails; the present one is only removed once the other is whole.
    """
    check_engine()
    if not arguments or not Path(arguments[0]).is_file():
        raise DevkitError("Say which file: make restore FILE=taskgate-….dump")
    compose("up", "--detach", "--wait", "--no-recreate", "postgres")
    _sql(f"DROP DATABASE IF EXISTS {_NEW}", f"CREATE DATABASE {_NEW} OWNER {_ROLE}")
    load = ("pg_restore", "--username=postgres", "--exit-on-error", "--no-owner")
    try:
        with Path(arguments[0]).open("rb") as file:
            compose(*_IN_POSTGRES, *load, f"--role={_ROLE}", f"--dbname={_NEW}", stdin=file)
        _sql(NEW_EPOCHS, database=_NEW)
    except DevkitError:
        _sql(f"DROP DATABASE {_NEW}")
        raise
    # Whoever is connected would write into what is about to go.
    compose("stop", "gateway", "tasks")
    _sql(
        f"DROP DATABASE IF EXISTS {_DATABASE} WITH (FORCE)",
        f"ALTER DATABASE {_NEW} RENAME TO {_DATABASE}",
    )
    compose("up", "--detach", "--wait", "--no-recreate")
    print(f"taskgate: restored {arguments[0]}")


def _sql(*statements: str, database: str = "postgres") -> None:
    commands = [f"--command={statement}" for statement in statements]
    connect = ("psql", "--username=postgres", f"--dbname={database}", "--quiet")
    compose(*_IN_POSTGRES, *connect, "--set=ON_ERROR_STOP=1", *commands)
