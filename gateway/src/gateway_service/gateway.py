"""The door itself: every request under /api/ is authenticated and forwarded, as plain ASGI."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway_service.authentication.authenticator import Authenticator
from gateway_service.event_streams import EventStreams
from gateway_service.forwarding import Forwarder
from gateway_service.upstream.errors import UpstreamFailedError
from gateway_service.upstream.request import Header
from service_kit.errors import NotFoundError, ServiceError, send_problem
from service_kit.request_id import HEADER, current_request_id

_FORWARDED_PREFIX = "/api/"
# What the gateway answers itself, once it knows the caller.
_OWN = frozenset(("/api/v1/me", "/api/v1/auth/logout", "/api/v1/auth/logout-all"))
# Streams go over connections of their own; the tasks service takes this path with a slash too.
_STREAM = frozenset(("/api/v1/events", "/api/v1/events/"))
_REQUEST_ID = HEADER.encode()
_UNAUTHORIZED = 401
_DOT_SEGMENTS = frozenset((".", ".."))


class Gateway:
    """Sends requests under /api/ to the tasks service, and all others to `control`.

    `control` also answers the few of `_OWN`, with the caller's verdict in the request's state.
    """

    def __init__(
        self,
        control: ASGIApp,
        *,
        authenticator: Authenticator,
        forwarder: Forwarder,
        streams: EventStreams,
        public_url: str,
    ) -> None:
        self._control = control
        self._authenticator = authenticator
        self._forwarder = forwarder
        self._streams = streams
        self._public_url = public_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection (ASGI)."""
        if scope["type"] == "lifespan":
            await self._control(scope, receive, send)
        elif scope["type"] != "http" or not scope["path"].startswith(_FORWARDED_PREFIX):
            await self._control(_under_its_id(scope), receive, send)
        else:
            try:
                await self._serve(scope, receive, send)
            except _IdentityRefusedError:
                error = UpstreamFailedError(
                    "The tasks service does not accept this gateway's signature: do both have the "
                    "same IDENTITY_KEY, and their clocks the same time?"
                )
                await send_problem(error, scope, receive, send, self._public_url)
            except ServiceError as error:
                await send_problem(error, scope, receive, send, self._public_url)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        caller = await self._authenticator.authenticate(scope)
        path: str = scope["path"]
        if path in _OWN:
            state = {**scope.get("state", {}), "verdict": caller.verdict}
            await self._control({**_under_its_id(scope), "state": state}, receive, send)
            return
        if "/." in path and not _DOT_SEGMENTS.isdisjoint(path.split("/")):
            # Whatever resolved them on the way could leave /api/ behind.
            raise NotFoundError

        async def relay(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == _UNAUTHORIZED:
                raise _IdentityRefusedError
            await send(message)

        request_id: Header = (_REQUEST_ID, current_request_id().encode())
        headers = (*caller.identity_headers, request_id)
        if path in _STREAM:
            await self._streams.forward(scope, receive, relay, caller.verdict, headers)
        else:
            await self._forwarder.forward(scope, receive, relay, headers)


class _IdentityRefusedError(Exception):
    """A 401 from behind is about our signature: to the client it would mean "sign in again"."""


def _under_its_id(scope: Scope) -> Scope:
    # The control application gives ids too; offered first, ours is the one it takes.
    offered: Header = (_REQUEST_ID, current_request_id().encode())
    return {**scope, "headers": [offered, *scope["headers"]]}
