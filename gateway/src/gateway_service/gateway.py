"""The door itself: every request under /api/ is authenticated and forwarded, as plain ASGI."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway_service.admission import Admission
from gateway_service.behind import ANY_ROUTE, Behind, InsteadError
from service_kit.errors import ServiceError, send_problem
from service_kit.observed import record_of

_FORWARDED_PREFIX = "/api/"
# What the gateway answers itself, once it knows the caller.
_OWN = frozenset(("/api/v1/me", "/api/v1/auth/logout", "/api/v1/auth/logout-all"))


class Gateway:
    """Sends requests under /api/ to what is `behind`, and all others to `control`.

    `control` also answers the few of `_OWN`, with the caller's verdict in the request's state.
    """

    def __init__(
        self, control: ASGIApp, *, admission: Admission, behind: Behind, public_url: str
    ) -> None:
        self._control = control
        self._admission = admission
        self._behind = behind
        self._public_url = public_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection (ASGI)."""
        if scope["type"] == "lifespan":
            await self._control(scope, receive, send)
            return
        try:
            if scope["type"] == "http" and scope["path"].startswith(_FORWARDED_PREFIX):
                await self._serve(scope, receive, send)
            else:
                await self._admission.admit_stranger(scope)
                await self._control(scope, receive, send)
        except ServiceError as error:
            await send_problem(error, scope, receive, send, self._public_url)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        record_of(scope).route = ANY_ROUTE
        admitted = await self._admission.admit(scope)

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *admitted.headers()]
            await send(message)

        try:
            if scope["path"] in _OWN:
                record_of(scope).route = scope["path"]
                scope["state"] = {**scope.get("state", {}), "verdict": admitted.caller.verdict}
                await self._control(scope, receive, tell)
            else:
                await self._behind.serve(admitted, scope, receive, tell)
        except InsteadError as instead:
            await send_problem(instead.error, scope, receive, tell, self._public_url)
        except ServiceError as error:
            await send_problem(error, scope, receive, tell, self._public_url)
