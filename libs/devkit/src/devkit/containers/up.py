"""`make up`: build everything, run it, and say how to use it."""

import base64
import hmac
import json
import time
from collections.abc import Mapping, Sequence

from devkit.containers.compose import ask, check_engine, compose
from devkit.containers.env_file import env_file, read_variables, write_secrets
from devkit.welcome import welcome

_ONE_DAY = 24 * 60 * 60
_LONGEST_START = 300
_PORT_INSIDE = "8000"
_EVERY_ADDRESS = ("0.0.0.0:", "[::]:", "127.0.0.1:")


def up(arguments: Sequence[str]) -> None:
    """Run the system and return when it is healthy; `arguments` go to `docker compose up`.

    Raises `DevkitError` if it does not become so.
    """
    check_engine()
    path = env_file()
    if write_secrets(path):
        print(f"taskgate: wrote random secrets into {path}")
    limit = f"--wait-timeout={_LONGEST_START}"
    compose("up", "--build", "--detach", "--wait", limit, *arguments)
    variables = read_variables(path)
    print("\n".join(welcome(gateway_url(), *_token(variables))))


def gateway_url() -> str:
    """Return where the first gateway is reached from this machine."""
    address = ask("port", "gateway", _PORT_INSIDE)
    for prefix in _EVERY_ADDRESS:
        if address.startswith(prefix):
            address = "localhost:" + address.removeprefix(prefix)
    return f"http://{address}"


def _token(variables: Mapping[str, str]) -> tuple[str, str]:
    secret = variables.get("BETTER_AUTH_SECRET", "")
    if not secret:
        return "TOKEN", "put a token of your issuer in place of TOKEN"
    return make_token(secret, "alice"), "this token is alice's, for a day"


def make_token(secret: str, user_id: str) -> str:
    """Return an HS256 token (RFC 7515) for a day; of several secrets the first signs."""
    now = int(time.time())
    claims = {"sub": user_id, "iat": now, "exp": now + _ONE_DAY}
    signed = f"{_encoded({'alg': 'HS256', 'typ': 'JWT'})}.{_encoded(claims)}"
    key = secret.split(",", maxsplit=1)[0]
    return f"{signed}.{_base64(hmac.digest(key.encode(), signed.encode(), 'sha256'))}"


def _encoded(members: Mapping[str, object]) -> str:
    return _base64(json.dumps(members).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
