"""A path with a trailing slash is the path without it: no redirect, which would drop the token."""

from starlette.types import ASGIApp, Receive, Scope, Send


class TrailingSlash:
    """Takes one trailing slash off the path of each request."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection (ASGI)."""
        path = scope.get("path", "")
        if scope["type"] == "http" and path != "/" and path.endswith("/"):
            # In place: who observes the request looks here for the route that it came to.
            scope["path"] = path[:-1]
        await self.app(scope, receive, send)
