"""`python -m service_kit.serve tasks_service.main:create_app`: serve as our images do.

The port is 8000; `--workers-from TASKS_WORKERS` names the variable that says in how many processes.
SIGTERM ends it without a lost request: see `DrainingProtocol`; SIGINT does not wait for idle
connections. SIGUSR1 announces the end: it serves on, but `/readyz` answers 503, so that whoever
balances the load turns to others.
"""

import argparse
import asyncio
import gc
import os
import signal
import socket
import sys
from collections.abc import Callable
from types import FrameType
from typing import TypeAlias

import uvicorn
from starlette.types import ASGIApp
from uvicorn.server import ServerState

from service_kit.edge import GuardedProtocol
from service_kit.figures import served_figures
from service_kit.health import LEAVING
from service_kit.workers import Worker, Workers

Factory: TypeAlias = str | Callable[[], ASGIApp]

_PORT = 8000
# What is in flight may take this long; Docker then waits a little longer before it kills.
_GRACE_SECONDS = 25
# New objects before the garbage collector's next round. Python's 700 are made by a few requests.
_OBJECTS_A_ROUND = 50_000


class DrainingState(ServerState):
    """What the connections of one server share."""

    leaving = False
    hurried = False


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
        if self.server_state.hurried:
            super().shutdown()
            return
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
        last = self._draining or self.server_state.leaving
        if last:
            self._fast_refusal = None
        super().on_headers_complete()
        if last:
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

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop (called for a signal); whoever presses Ctrl-C does not wait for idle clients."""
        self.server_state.hurried = sig == signal.SIGINT
        super().handle_exit(sig, frame)


class SoleServer(DrainingServer):
    """A server that has a process to itself, and sets its garbage collector."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve; what is there by now stays, and is not looked through again."""
        await super().startup(sockets)
        gc.collect()
        gc.freeze()
        gc.set_threshold(_OBJECTS_A_ROUND)


class DrainingWorker(Worker):
    """A process that serves like that."""

    @property
    def server(self) -> SoleServer:
        """The server of this process."""
        if not isinstance(self._server, SoleServer):
            self._server = SoleServer(self.config)
        return self._server


def server(factory: Factory, *, host: str = "0.0.0.0", port: int = _PORT) -> DrainingServer:
    """Return the server of an app factory, which may be given as `module:function`."""
    return DrainingServer(_config(factory, host, port))


def main() -> int:
    """Serve until told to end; the exit code is 1 when the start failed."""
    parser = argparse.ArgumentParser(prog="python -m service_kit.serve")
    parser.add_argument("factory")
    parser.add_argument("--workers-from", metavar="VARIABLE", default="")
    parser.add_argument("--host", default="0.0.0.0")
    parser.add_argument("--port", type=int, default=_PORT)
    given = parser.parse_args()
    workers = _number(given.workers_from)
    if workers is not None and workers > 1:
        return _serve_with(workers, given.factory, given.host, given.port)
    serving = SoleServer(_config(given.factory, given.host, given.port))
    # Its end says what it ended for, without Python's traceback for Ctrl-C.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    serving.run()
    return int(not serving.started)


def _serve_with(workers: int, factory: str, host: str, port: int) -> int:
    config = _config(factory, host, port, workers=workers)
    metrics_port = _number("METRICS_PORT")
    try:
        with served_figures(metrics_port) as figures:
            serving = Workers(config, config.bind_socket(), DrainingWorker, figures)
            serving.run()
    except OSError as error:
        sys.stderr.write(f"refusing to start: METRICS_PORT {metrics_port}: {error.strerror}.\n")
        return 1
    if serving.told_by is None:
        return 1
    # Its end says what it ended for, as that of a single process does.
    signal.signal(serving.told_by, signal.SIG_DFL)
    signal.raise_signal(serving.told_by)
    return 0


def _config(factory: Factory, host: str, port: int, workers: int = 1) -> uvicorn.Config:
    return uvicorn.Config(
        factory,
        factory=True,
        host=host,
        port=port,
        workers=workers,
        http=DrainingProtocol,
        ws="none",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )


def _number(variable: str) -> int | None:
    # What is no number, the settings name when the service starts.
    value = os.environ.get(variable, "")
    return int(value) if value.isascii() and value.isdigit() else None


if __name__ == "__main__":
    sys.exit(main())
