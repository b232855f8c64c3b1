"""Several processes that serve on one port, and tell the one that started them their figures."""

import os
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from socket import socket
from typing import cast

import uvicorn
from prometheus_client.metrics_core import Metric
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors.multiprocess import Multiprocess, Process

from service_kit.figures import Figures
from service_kit.metrics import to_parent

_FIGURES = b"figures"
# Who asks for the figures waits no longer for a worker that hangs, or is only just starting.
_PATIENCE_SECONDS = 1.0


class Worker(Process):
    """One of the processes."""

    _known: Sequence[Metric] = ()
    _ended = False

    def start(self) -> None:
        """Start the new process."""
        super().start()
        # With a copy of our own we would wait for answers when the process is gone.
        self.child_conn.close()

    def target(self, sockets: list[socket] | None = None) -> None:
        """Serve; called in the new process."""
        # Its own copy would keep the pipe open when the parent is gone.
        self.parent_conn.close()
        # Linux may give each session the same share of the CPU, however many processes it has
        # (autogroup): in one session, two workers would have to do with that of one.
        os.setsid()
        to_parent.is_worker = True
        self._told = threading.Event()
        # The server lets a signal end the process afterwards, before the figures were asked for.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.server.handle_exit)
        try:
            super().target(sockets)
        except SystemExit as error:
            if isinstance(error.code, str):
                # A mistake in the settings, which another try would not mend.
                sys.stderr.write(f"{error.code}\n")
                sys.exit(STARTUP_FAILURE)
            raise
        self._ended = True
        self._told.wait()

    def pong(self) -> None:
        """Answer the parent, in the new process: with the figures, or whether it serves.

        None says that it has ended, and waits for nothing but to tell its figures.
        """
        if self.child_conn.recv() != _FIGURES:
            self.child_conn.send(None if self._ended else self.server.started)
            return
        last = self._ended
        self.child_conn.send(list(to_parent.registry.collect()))
        if last:
            self._told.set()

    def always_pong(self) -> None:
        """Answer whatever the parent asks; without a parent, end."""
        try:
            super().always_pong()
        except (EOFError, OSError):
            self._told.set()
            os.kill(os.getpid(), signal.SIGTERM)

    def figures(self) -> Sequence[Metric]:
        """Ask for what it has counted, in the parent; what is known is returned if it is silent."""
        with suppress(OSError, EOFError):
            while self.parent_conn.poll():
                # An answer that came too late, to another question.
                self.parent_conn.recv()
            self.parent_conn.send(_FIGURES)
            if self.parent_conn.poll(_PATIENCE_SECONDS):
                answer = self.parent_conn.recv()
                self._known = answer if isinstance(answer, list) else self._known
        return self._known


class Workers(Multiprocess):
    """The processes of one service; those that end are replaced.

    `kind` is what they are, `figures` where their counts are summed up.
    """

    def __init__(
        self, config: uvicorn.Config, listening: socket, kind: type[Worker], figures: Figures
    ) -> None:
        super().__init__(config, [listening])
        self._kind = kind
        self._figures = figures
        self.told_by: int | None = None

    def init_processes(self) -> None:
        """Start all of them."""
        for _ in range(self.processes_num):
            self.processes.append(self._begun())

    def keep_subprocess_alive(self) -> None:
        """Replace what has ended, or hangs."""
        for number, process in enumerate(self.processes):
            if self.should_exit.is_set() or self._is_alive(process):
                continue
            self._figures.bury(cast("Worker", process))
            process.kill()
            process.join()
            if process.exitcode == STARTUP_FAILURE:
                self.should_exit.set()
                return
            self.processes[number] = self._begun()

    def terminate_all(self) -> None:
        """Tell all of them to end, but not while one is being asked."""
        with self._figures.asking:
            super().terminate_all()

    def handle_term(self) -> None:
        """End all of them, each in its own time."""
        self.told_by = signal.SIGTERM
        super().handle_term()

    def handle_int(self) -> None:
        """End as for SIGTERM."""
        self.told_by = signal.SIGINT
        super().handle_int()

    def handle_hup(self) -> None:
        """End as for SIGTERM, as a service of one process does."""
        self.told_by = signal.SIGHUP
        super().handle_term()

    def handle_ttin(self) -> None:
        """Start no worker that is none of ours, as uvicorn would."""

    def handle_ttou(self) -> None:
        """End no worker: how many there are is a setting."""

    def handle_usr1(self) -> None:
        """Pass on that the end is near."""
        for process in self.processes:
            with suppress(ProcessLookupError):
                os.kill(process.pid or 0, signal.SIGUSR1)

    def _is_alive(self, process: Process) -> bool:
        with self._figures.asking:
            return process.is_alive(self.config.timeout_worker_healthcheck)

    def _begun(self) -> Worker:
        worker = self._kind(self.config, self.sockets)
        worker.start()
        self._figures.workers.append(worker)
        return worker
