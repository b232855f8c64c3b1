"""Which credential a request may come in with, and from which pages."""

from collections.abc import Collection

from starlette.types import Scope

from gateway_service.authentication.credentials import Credential, find_credential
from gateway_service.authentication.session_cookie import SessionCookie
from gateway_service.errors import OriginForbiddenError

# They change nothing, and what they answer only a listed page can read.
_SAFE_METHODS = frozenset(("GET", "HEAD", "OPTIONS"))


class Door:
    """Takes bearer tokens from anybody, and `cookie` from pages of `origins`."""

    def __init__(self, cookie: SessionCookie, origins: Collection[bytes]) -> None:
        self._cookie = cookie
        self._origins = origins

    def credential_of(self, scope: Scope) -> Credential:
        """Return the request's credential.

        Raises `TokenMissingError`, `TokenInvalidError` or `OriginForbiddenError`.
        """
        credential = find_credential(scope["headers"], self._cookie)
        # A browser sends cookies whoever asks, and tells truly which page did (RFC 6454 §7.3).
        if credential.kind == "session_cookie" and scope["method"] not in _SAFE_METHODS:
            self._check_origin(scope)
        return credential

    def _check_origin(self, scope: Scope) -> None:
        origins = [value for name, value in scope["headers"] if name == b"origin"]
        if len(origins) != 1 or origins[0] not in self._origins:
            said = ", ".join(origin.decode("latin-1") for origin in origins)
            raise OriginForbiddenError(said or None)
