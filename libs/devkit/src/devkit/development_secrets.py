"""The secrets of a development system: given in the environment, or generated and kept."""

import fcntl
import secrets
from collections.abc import Mapping
from pathlib import Path

_NAMES = ("BETTER_AUTH_SECRET", "IDENTITY_KEY", "DATABASE_PASSWORD", "REDIS_PASSWORD")
_HEADING = (
    "# Generated for development. PostgreSQL knows its password: keep or delete all of DATA_DIR.\n"
)


def load_secrets(data_dir: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Return all four secrets by name; what the environment lacks is kept in `secrets.env`.

    The file is readable by its owner only. A secret generated once stays the same.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    given = {name: environment[name] for name in _NAMES if environment.get(name)}
    return _kept(data_dir / "secrets.env", [n for n in _NAMES if n not in given]) | given


def _kept(path: Path, names: list[str]) -> dict[str, str]:
    path.touch(mode=0o600)
    path.chmod(0o600)
    with path.open("r+", encoding="utf-8") as file:
        # `make token` and `make run` may both be the first.
        fcntl.flock(file, fcntl.LOCK_EX)
        lines = file.read().splitlines()
        found = dict(line.split("=", 1) for line in lines if "=" in line and line[0] != "#")
        missing = {name: secrets.token_hex(32) for name in names if not found.get(name)}
        if missing:
            file.write("" if lines else _HEADING)
            file.writelines(f"{name}={value}\n" for name, value in missing.items())
    return {name: (found | missing)[name] for name in names}
