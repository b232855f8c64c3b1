"""The answer to what is too much, without the price of beginning to serve it."""

import asyncio
import contextvars
from collections.abc import Callable, Iterable
from typing import TypeAlias

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service_kit.errors import problem_response
from service_kit.observed import Observed
from service_kit.request_id import set_request_id
from service_kit.shedding import LET_IN, OverloadedError, Shedding

Field: TypeAlias = tuple[bytes, bytes]

STATUS = OverloadedError.status
# Where the edge finds it, in the state that an application has from its lifespan (ASGI).
KEY = "taskgate.fast_refusal"
_ID = "{}"


class FastRefusal:
    """Answers as `observed` would while `shedding`, which is within it, takes no more.

    `fields_for` returns the headers that every answer to these request headers has, which are a
    few combinations at most. The edge decides what may be answered so: see `GuardedProtocol`.
    """

    def __init__(
        self,
        observed: Observed,
        shedding: Shedding,
        fields_for: Callable[[Iterable[Field]], tuple[Field, ...]],
        public_url: str,
    ) -> None:
        self._observed = observed
        self._shedding = shedding
        self._fields_for = fields_for
        self._coming = 0
        response = contextvars.copy_context().run(_refused_by_nobody, public_url)
        self._body = bytes(response.body).split(_ID.encode())
        self._fields = [field for field in response.raw_headers if field[0] != b"content-length"]
        # The fields that do not differ between two requests from one page, as they are sent.
        self._heads: dict[tuple[Field, ...], bytes] = {}

    def applies(self, scope: Scope) -> bool:
        """Tell whether the request of `scope` is too much; one that is not has to begin."""
        if self._shedding.full(self._coming):
            return True
        if not self._coming:
            # What is read in one turn of the loop begins in the next, before more is read.
            asyncio.get_running_loop().call_soon(self._begin)
        self._coming += 1
        scope[LET_IN] = True
        return False

    def answer(self, scope: Scope) -> bytes:
        """Return what follows the server's own fields in the answer to the request of `scope`.

        The request is over then.
        """
        record, _ = self._observed.begin(scope)
        body = record.request_id.encode().join(self._body)
        record.status, record.bytes_out, record.complete = STATUS, len(body), True
        self._observed.end(scope, record)
        fields = self._fields_for(scope["headers"])
        head = self._heads.get(fields) or self._add_head(fields)
        own = self._observed.marked([(b"content-length", b"%d" % len(body))], scope, record)
        return b"%b%b\r\n%b" % (head, written(own), body)

    def _add_head(self, fields: tuple[Field, ...]) -> bytes:
        head = self._heads[fields] = written((*self._fields, *fields))
        return head

    def _begin(self) -> None:
        self._coming = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection (ASGI)."""
        if scope["type"] == "lifespan" and "state" in scope:
            scope["state"][KEY] = self
        await self._observed(scope, receive, send)


def written(fields: Iterable[Field]) -> bytes:
    """Return fields as they stand in a head."""
    return b"".join([b"%b: %b\r\n" % field for field in fields])


def _refused_by_nobody(public_url: str) -> Response:
    set_request_id(_ID)
    return problem_response(OverloadedError(), public_url)
