"""Which variables a developer's `AUTH_ISSUERS_FILE` needs beside it."""

import tomllib
from pathlib import Path


def secret_variables(path: str) -> list[str]:
    """Return the variables that the file's `secrets_env` keys name.

    There are none in a file that cannot be read: the verifier says what is wrong with it.
    """
    try:
        tables = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    named = [table.get("secrets_env") for table in tables.values() if isinstance(table, dict)]
    return [name for name in named if isinstance(name, str)]
