"""`python -m service_kit.serve tasks_service.main:create_app`: serve as our images do.

The port is 8000. SIGTERM ends it without a lost request: see `DrainingProtocol`. SIGUSR1 announces
the end: it serves on, but `/readyz` answers 503, so that whoever balances the load turns to others.
"""

import asyncio
import signal
import socket
import sys
from collections.abc import Callable
from typing import TypeAlias

import uvicorn
from starlette.types import ASGIApp
from uvicorn.server import ServerState

from service_kit.edge import GuardedProtocol
from service_kit.health import LEAVING

Factory: TypeAlias = str | Callable[[], ASGIApp]

_PORT = 8000
# What is in flight may take this long; Docker then waits a little longer before it kills.
_GRACE_SECONDS = 25


class DrainingState(ServerState):
    """What the connections of one server share."""

    leaving = False


class DrainingProtocol(GuardedProtocol):
    """One connection, which a stopping server does not cut off under a request on its way.

    Uvicorn closes idle connections when it stops, though the next request may have been sent
    already. Here they go on until their time for keep-alive is over, and what arrives until then
    is answered with `Connection: close`, so that its sender takes another replica.
    """

    server_state: DrainingState
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
        """Take a request; on the way to the end it is the connection's last."""
        super().on_headers_complete()
        if self._draining or self.server_state.leaving:
            self.cycle.keep_alive = False
        if self.server_state.leaving:
            self.scope["state"][LEAVING] = True


class DrainingServer(uvicorn.Server):
    """A server that can say that it will stop before it does."""

    server_state: DrainingState

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.server_state = DrainingState()

    def leave(self) -> None:
        """Serve on, but do not count as ready any more."""
        self.server_state.leaving = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve, and to listen for the announcement of the end."""
        await super().startup(sockets)
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self.leave)


def server(factory: Factory, *, host: str = "0.0.0.0", port: int = _PORT) -> DrainingServer:
    """Return the server of an app factory, which may be given as `module:function`."""
    return DrainingServer(
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
