"""Several processes that serve on one port, and their figures on another."""

import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socket import socket

import uvicorn
from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.metrics_core import Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors.multiprocess import Multiprocess, Process

from service_kit.metrics import SHARED_FOLDER

# What the figures of several processes come to together; all others are sums.
_SMALLEST = frozenset(("process_start_time_seconds", "process_max_fds"))


class Worker(Process):
    """One of the processes."""

    def target(self, sockets: list[socket] | None = None) -> None:
        """Serve; called in the new process."""
        # Its own copy would keep the pipe open when the parent is gone.
        self.parent_conn.close()
        try:
            super().target(sockets)
        except SystemExit as error:
            if isinstance(error.code, str):
                # A mistake in the settings, which another try would not mend.
                sys.stderr.write(f"{error.code}\n")
                sys.exit(STARTUP_FAILURE)
            raise

    def always_pong(self) -> None:
        """Answer the parent's pings; without a parent, end."""
        try:
            super().always_pong()
        except (EOFError, OSError):
            os.kill(os.getpid(), signal.SIGTERM)


class Workers(Multiprocess):
    """The processes of one service; those that end are replaced.

    `kind` is what they are, `folder` where they keep their figures.
    """

    def __init__(
        self, config: uvicorn.Config, listening: socket, kind: type[Worker], figures: "Figures"
    ) -> None:
        super().__init__(config, [listening])
        self._kind = kind
        self._figures = figures
        self.told_by: int | None = None

    def init_processes(self) -> None:
        """Start all of them."""
        for _ in range(self.processes_num):
            self.processes.append(self._begun())
        self._figures.pids = [process.pid for process in self.processes]

    def keep_subprocess_alive(self) -> None:
        """Replace what has ended, or hangs."""
        for number, process in enumerate(self.processes):
            if self.should_exit.is_set() or process.is_alive(
                self.config.timeout_worker_healthcheck
            ):
                continue
            process.kill()
            process.join()
            self._figures.bury(process.pid)
            if process.exitcode == STARTUP_FAILURE:
                self.should_exit.set()
                return
            self.processes[number] = self._begun()
            self._figures.pids = [process.pid for process in self.processes]

    def handle_term(self) -> None:
        """End all of them, each in its own time."""
        self.told_by = signal.SIGTERM
        super().handle_term()

    def handle_int(self) -> None:
        """End as for SIGTERM."""
        self.told_by = signal.SIGINT
        super().handle_int()

    def handle_usr1(self) -> None:
        """Pass on that the end is near."""
        for process in self.processes:
            with suppress(ProcessLookupError):
                os.kill(process.pid or 0, signal.SIGUSR1)

    def _begun(self) -> Worker:
        worker = self._kind(self.config, self.sockets)
        worker.start()
        return worker


class Figures(Collector):
    """What all workers count, summed up when asked; `folder` holds a file of each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._reading = threading.Lock()
        self._merged = MultiProcessCollector(None, str(folder))
        self.pids: list[int | None] = []

    def collect(self) -> Iterable[Metric]:
        """Return the sums (called by prometheus-client)."""
        with self._reading:
            return [*self._merged.collect(), *self._processes()]

    def bury(self, pid: int | None) -> None:
        """Keep the counts of a process that has ended without keeping its files."""
        with self._reading:
            mark_process_dead(pid, str(self._folder))
            for kind in ("counter", "histogram"):
                left = self._folder / f"{kind}_{pid}.db"
                if left.exists():
                    _add(left, self._folder / f"{kind}_ended.db")
                    left.unlink()

    def _processes(self) -> Iterator[Metric]:
        sums: dict[str, Metric] = {}
        for pid in (pid for pid in (os.getpid(), *self.pids) if pid):
            for metric in _of_process(pid):
                known = sums.setdefault(metric.name, metric)
                if known is not metric:
                    _combine(known, metric)
        yield from sums.values()


@contextmanager
def shared_figures(port: int | None) -> Iterator[Figures]:
    """Give workers that are started within the block a place to count in, and serve the sums."""
    folder = Path(tempfile.mkdtemp(prefix="taskgate-metrics-"))
    os.environ[SHARED_FOLDER] = str(folder)
    figures = Figures(folder)
    registry = CollectorRegistry()
    registry.register(figures)
    server = start_http_server(port, registry=registry)[0] if port else None
    try:
        yield figures
    finally:
        if server:
            server.shutdown()
            server.server_close()
        del os.environ[SHARED_FOLDER]
        shutil.rmtree(folder, ignore_errors=True)


def _of_process(pid: int) -> Iterable[Metric]:
    return ProcessCollector(pid=lambda: pid, registry=None).collect()


def _add(source: Path, target: Path) -> None:
    sums = MmapedDict(str(target))
    for key, value, stamp, _ in MmapedDict.read_all_values_from_file(str(source)):
        sums.write_value(key, sums.read_value(key)[0] + value, stamp)
    sums.close()


def _combine(known: Metric, metric: Metric) -> None:
    combine = min if metric.name in _SMALLEST else sum
    known.samples = [
        one._replace(value=combine((one.value, other.value)))
        for one, other in zip(known.samples, metric.samples, strict=True)
    ]
