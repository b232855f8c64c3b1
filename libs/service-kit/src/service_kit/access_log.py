"""One JSON line a request, written without the price of a logger.

Everything that is not ours to choose is either escaped or known to need none. Lines are gathered
for a moment, and written whole: up to `PIPE_BUF` bytes stay together in a pipe that several
processes share (POSIX).
"""

import asyncio
import os
import select
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from json.encoder import encode_basestring_ascii as quoted

from starlette.types import Scope

from service_kit.observed import Record

_FLUSH_SECONDS = 0.2
_STANDARD_OUTPUT = 1
_OK = 200
_PROBES = frozenset(("/healthz", "/readyz"))


def peer_address(scope: Scope) -> str | None:
    """Return the address at the other end of the connection."""
    peer: Sequence[str] | None = scope.get("client")
    return peer[0] if peer else None


class AccessLog:
    """Writes the line of each request of `service`; `client_of` tells whose it is."""

    def __init__(
        self,
        service: str,
        client_of: Callable[[Scope], str | None] = peer_address,
        descriptor: int = _STANDARD_OUTPUT,
    ) -> None:
        self._head = f'{{"event":"request","service":"{service}","level":"info","timestamp":"'
        self._client_of = client_of
        self._descriptor = descriptor
        self._second = 0
        self._stamp = ""
        self._lines: list[bytes] = []
        self._size = 0
        self._due = False

    def begin(self, record: Record) -> None:
        """Do nothing: the line is written at the end."""

    def end(self, record: Record, scope: Scope) -> None:
        """Write a request's line, soon."""
        if record.status == _OK and record.route in _PROBES:
            return
        line = self._line(record, self._client_of(scope)).encode()
        if self._size + len(line) > select.PIPE_BUF:
            self.flush()
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_later(_FLUSH_SECONDS, self._flush_in_time)
        self._lines.append(line)
        self._size += len(line)

    def flush(self) -> None:
        """Write what has been gathered."""
        lines, self._lines, self._size = self._lines, [], 0
        if lines:
            # Nobody reads any more: no reason to fail a request.
            with suppress(OSError):
                os.write(self._descriptor, b"".join(lines))

    async def aclose(self) -> None:
        """Write what has been gathered, at the end."""
        self.flush()

    def _flush_in_time(self) -> None:
        self._due = False
        self.flush()

    def _line(self, record: Record, client: str | None) -> str:
        user_id = record.user_id
        status = "null" if record.status is None else record.status
        verdict = "null" if record.verdict is None else f'"{record.verdict}"'
        return (
            f'{self._head}{self._now()}","request_id":"{record.request_id}",'
            f'"trace_id":"{record.trace.trace_id}",'
            f'"user_id":{"null" if user_id is None else quoted(user_id)},'
            f'"method":{quoted(record.method)},"route":{quoted(record.route)},'
            f'"status":{status},"outcome":"{record.outcome}",'
            f'"total_ms":{record.total * 1000:.3f},"waited_ms":{record.waited * 1000:.3f},'
            f'"auth_ms":{_milliseconds(record.auth)},'
            f'"upstream_ms":{_milliseconds(record.upstream)},"verdict":{verdict},'
            f'"bytes_in":{record.bytes_in},"bytes_out":{record.bytes_out},'
            f'"client":{"null" if client is None else quoted(client)}}}\n'
        )

    def _now(self) -> str:
        now = time.time()
        second = int(now)
        if second != self._second:
            self._second = second
            self._stamp = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return f"{self._stamp}.{int((now - second) * 1_000_000):06d}Z"


def _milliseconds(seconds: float | None) -> str:
    return "null" if seconds is None else f"{seconds * 1000:.3f}"
