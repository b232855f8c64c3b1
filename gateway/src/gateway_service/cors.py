"""Which web pages may call us (the Fetch standard's CORS protocol)."""

from collections.abc import Iterable, Sequence

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway_service.errors import OriginForbiddenError
from gateway_service.upstream.request import Header
from service_kit.errors import MethodNotAllowedError, problem_response
from service_kit.hardening import DATA_POLICY, HARDENING, POLICY_HEADER

_EXPOSED = (
    b"Content-Disposition, ETag, Location, RateLimit, RateLimit-Policy, Retry-After,"
    b" X-Request-Id, X-Sync-Cursor"
)
_METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
_DATA_PREFIX = "/api/"
# Caches must not give one page's answer to another, or to none (Fetch standard, CORS and caches).
_VARY: Header = (b"vary", b"Origin")


class Cors:
    """CORS for exactly `origins`, with credentials; a refused preflight is a problem answer.

    Every answer gets what it shall tell a browser besides: `HARDENING`, `always`, and a policy,
    unless it is a page with one of its own.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        origins: Sequence[str],
        public_url: str,
        always: Sequence[Header] = (),
    ) -> None:
        self._app = app
        self._public_url = public_url
        # Every answer passes here: the headers are put together once.
        self._hardened = (*HARDENING, *always)
        self._other = (_VARY, *self._hardened)
        self._allowed = {
            origin.encode(): (*_allowing(origin), *self._hardened) for origin in origins
        }
        self._preflight = CORSMiddleware(
            app,
            allow_origins=origins,
            allow_methods=_METHODS,
            allow_headers=("*",),
            allow_credentials=True,
            # A listed page may call us on localhost or in a private network too.
            allow_private_network=True,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection (ASGI)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        origin = _origin(scope["headers"])
        added = self._fields(origin)
        may_be_page = not scope["path"].startswith(_DATA_PREFIX)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", ()), *added]
                if not may_be_page or all(name != POLICY_HEADER for name, _ in headers):
                    headers.append(DATA_POLICY)
                message["headers"] = headers
            await send(message)

        if origin is not None and scope["method"] == "OPTIONS":
            headers = Headers(scope=scope)
            if "access-control-request-method" in headers:
                # It says of the origin what there is to say itself.
                added = self._hardened
                await self._answer_preflight(headers)(scope, receive, send_with_headers)
                return
        await self._app(scope, receive, send_with_headers)

    def data_fields(self, headers: Iterable[Header]) -> tuple[Header, ...]:
        """Return what every answer with data has, to a request with these headers."""
        return (*self._fields(_origin(headers)), DATA_POLICY)

    def _fields(self, origin: bytes | None) -> tuple[Header, ...]:
        return self._allowed.get(origin, self._other) if origin else self._other

    def _answer_preflight(self, headers: Headers) -> Response:
        origin = headers["origin"]
        if not self._preflight.is_allowed_origin(origin):
            refusal = problem_response(OriginForbiddenError(origin), self._public_url)
            refusal.headers["Vary"] = self._preflight.preflight_headers["Vary"]
            return refusal
        if headers["access-control-request-method"] not in _METHODS:
            error = MethodNotAllowedError({"Allow": ", ".join(_METHODS)})
            return problem_response(error, self._public_url)
        return self._preflight.preflight_response(headers)


def _allowing(origin: str) -> tuple[Header, ...]:
    return (
        (b"access-control-allow-origin", origin.encode()),
        (b"access-control-allow-credentials", b"true"),
        (b"access-control-expose-headers", _EXPOSED),
        # So that the page's own code sees what Server-Timing says (W3C Resource Timing).
        (b"timing-allow-origin", origin.encode()),
        _VARY,
    )


def _origin(headers: Iterable[Header]) -> bytes | None:
    for name, value in headers:
        if name == b"origin":
            return value
    return None
