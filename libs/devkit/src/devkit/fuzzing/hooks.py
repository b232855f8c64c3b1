"""What schemathesis loads into its own process: who it is at each operation."""

import os
import secrets
from typing import Any

import schemathesis
from schemathesis import AuthContext, Case

from devkit.token import make_token

_RUN = secrets.token_hex(8)
# Operations that leave their user without tokens are somebody else's each time.
_ENDS = ("/api/v1/auth/logout", "/api/v1/auth/logout-all", "/api/v1/account")


@schemathesis.auth(refresh_interval=None)
class Tokens:
    """Signs in anew for each case."""

    def get(self, _case: Case[Any], context: AuthContext) -> str:
        """Return a token."""
        whose = secrets.token_hex(8) if context.operation.path in _ENDS else "stays"
        return make_token(os.environ["FUZZING_SECRET"], f"fuzz-{_RUN}-{whose}")

    def set(self, case: Case[Any], token: str, _context: AuthContext) -> None:
        """Send it."""
        case.headers["Authorization"] = f"Bearer {token}"
