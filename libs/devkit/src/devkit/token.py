"""`python -m devkit.token`: print a development token for USER_ID."""

import os
import sys
import time
from collections.abc import Mapping

import jwt

from devkit.development_secrets import load_secrets
from devkit.errors import DevkitError
from devkit.settings import read_settings

_ONE_DAY = 24 * 60 * 60
_LONGEST_USER_ID = 255


def make_token(secret: str, user_id: str, *, lifetime: int = _ONE_DAY, **claims: object) -> str:
    """Return an HS256 token as a frontend makes by hand; `claims` come on top, None removes one.

    Of several secrets, separated by commas, the first signs.
    """
    now = int(time.time())
    payload = {"sub": user_id, "iat": now, "exp": now + lifetime, **claims}
    kept = {name: value for name, value in payload.items() if value is not None}
    return jwt.encode(kept, secret.split(",", maxsplit=1)[0], algorithm="HS256")


def token_from(environment: Mapping[str, str]) -> str:
    """Return the token that the environment describes: USER_ID, EXPIRES_IN (seconds), secrets.

    Raises `DevkitError` when no user is named or a value is unusable.
    """
    user_id = environment.get("USER_ID", "")
    if not user_id.strip():
        raise DevkitError("Say whose token: make token USER_ID=alice")
    if len(user_id) > _LONGEST_USER_ID or not user_id.isprintable():
        raise DevkitError(f"USER_ID must be at most {_LONGEST_USER_ID} printable characters.")
    lifetime = environment.get("EXPIRES_IN") or str(_ONE_DAY)
    if not (lifetime.isascii() and lifetime.isdigit() and int(lifetime) > 0):
        raise DevkitError(f"EXPIRES_IN must be a number of seconds, not {lifetime!r}.")
    settings = read_settings(environment)
    secret = load_secrets(settings.data_dir, settings.environment)["BETTER_AUTH_SECRET"]
    return make_token(secret, user_id, lifetime=int(lifetime))


def main() -> int:
    """Print the token, or why there is none."""
    try:
        print(token_from(os.environ))
    except (DevkitError, OSError) as error:
        print(f"taskgate: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
