"""The answer to what is too much, without the price of beginning to serve it."""

import contextvars
from collections.abc import Callable, Iterable
from typing import TypeAlias

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service_kit.errors import problem_response
from service_kit.observed import Observed
from service_kit.request_id import set_request_id
from service_kit.shedding import OverloadedError, Shedding

Field: TypeAlias = tuple[bytes, bytes]

STATUS = OverloadedError.status
# Where the edge finds it, in the state that an application has from its lifespan (ASGI).
KEY = "taskgate.fast_refusal"
_ID = "{}"


class FastRefusal:
    """Answers as `observed` would while `shedding`, which is within it, takes no more.

    `fields_for` returns the headers that every answer to these request headers has. The edge
    decides what may be answered so: see `GuardedProtocol`.
    """

    def __init__(
        self,
        observed: Observed,
        shedding: Shedding,
        fields_for: Callable[[Iterable[Field]], Iterable[Field]],
        public_url: str,
    ) -> None:
        self._observed = observed
        self._shedding = shedding
        self._fields_for = fields_for
        response = contextvars.copy_context().run(_refused_by_nobody, public_url)
        self._body = bytes(response.body).split(_ID.encode())
        self._fields = [field for field in response.raw_headers if field[0] != b"content-length"]

    @property
    def applies(self) -> bool:
        """Whether a request that comes now is too much."""
        return self._shedding.full

    def answer(self, scope: Scope) -> tuple[list[Field], bytes]:
        """Return headers and body for the request that `scope` tells of, which is over then."""
        record, _ = self._observed.begin(scope)
        body = record.request_id.encode().join(self._body)
        record.status, record.bytes_out, record.complete = STATUS, len(body), True
        self._observed.end(scope, record)
        length = (b"content-length", b"%d" % len(body))
        fields = [*self._fields, length, *self._fields_for(scope["headers"])]
        return self._observed.marked(fields, scope, record), body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection (ASGI)."""
        if scope["type"] == "lifespan" and "state" in scope:
            scope["state"][KEY] = self
        await self._observed(scope, receive, send)


def _refused_by_nobody(public_url: str) -> Response:
    set_request_id(_ID)
    return problem_response(OverloadedError(), public_url)
