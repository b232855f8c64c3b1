"""`python -m service_kit.serve tasks_service.main:create_app`: serve as our images do.

The port is 8000. SIGTERM ends it without a lost request: see `DrainingProtocol`.
"""

import sys
from collections.abc import Callable
from typing import TypeAlias

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

Factory: TypeAlias = str | Callable[[], ASGIApp]

_PORT = 8000
# What is in flight may take this long; Docker then waits a little longer before it kills.
_GRACE_SECONDS = 25


class DrainingProtocol(HttpToolsProtocol):
    """One connection, which a stopping server does not cut off under a request on its way.

    Uvicorn closes idle connections when it stops, though the next request may have been sent
    already. Here they go on until their time for keep-alive is over, and what arrives until then
    is answered with `Connection: close`, so that its sender takes another replica.
    """

    _draining = False

    def shutdown(self) -> None:
        """Begin to drain; called by the server when it stops."""
        self._draining = True
        cycle = self.cycle
        # Uvicorn's type hint forgets that there is none before the first request.
        if cycle is None or cycle.response_complete:  # type: ignore[redundant-expr]
            if self.timeout_keep_alive_task is None:
                # Never used, or a request has arrived by half.
                self.timeout_keep_alive_task = self.loop.call_later(
                    self.timeout_keep_alive, self.timeout_keep_alive_handler
                )
        elif not cycle.response_started:
            cycle.keep_alive = False

    def on_headers_complete(self) -> None:
        """Take a request; while draining it is the connection's last."""
        super().on_headers_complete()
        if self._draining:
            self.cycle.keep_alive = False


def server(factory: Factory, *, host: str = "0.0.0.0", port: int = _PORT) -> uvicorn.Server:
    """Return the server of an app factory, which may be given as `module:function`."""
    return uvicorn.Server(
        uvicorn.Config(
            factory,
            factory=True,
            host=host,
            port=port,
            http=DrainingProtocol,
            ws="none",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
    )


def main() -> int:
    """Serve until told to end; the exit code is 1 when the start failed."""
    serving = server(sys.argv[1])
    serving.run()
    return int(not serving.started)


if __name__ == "__main__":
    sys.exit(main())
