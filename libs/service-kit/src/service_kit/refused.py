"""What the edge refuses, answered by the service: with all that its other answers have too."""

from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from service_kit.errors import ServiceError, problem_response
from service_kit.observed import record_of
from service_kit.request_id import HEADER, set_request_id

_KEY = "taskgate.refusal"


def refused(scope: Scope, error: ServiceError) -> Scope:
    """Return what an application is asked in the place of the request that `scope` tells of.

    Neither method nor path goes on: who does not know of refusals must not serve what is refused.
    """
    nowhere = {"method": "", "path": "", "raw_path": b"", "query_string": b""}
    return {**scope, **nowhere, _KEY: error}


class Refused:
    """Answers what the edge refused, and leaves every other request to `app`."""

    def __init__(self, app: ASGIApp, public_url: str) -> None:
        self._app = app
        self._public_url = public_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        error: Any = scope.get(_KEY)
        if error is None:
            await self._app(scope, receive, send)
            return
        request_id = record_of(scope).request_id
        set_request_id(request_id)
        response = problem_response(error, self._public_url)
        response.headers[HEADER] = request_id
        await response(scope, receive, send)
