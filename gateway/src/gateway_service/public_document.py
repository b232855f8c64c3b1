"""The one OpenAPI document of everything public: the gateway's own part and the tasks service's."""

import asyncio
import copy
import json
import time
from collections import ChainMap
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import structlog

from gateway_service.api.security import AUTH_RESPONSES, SECURITY_SCHEME
from gateway_service.errors import OriginForbiddenError, StreamsFullError
from gateway_service.event_streams import PATH as EVENTS
from gateway_service.public_headers import PUBLIC_HEADERS
from gateway_service.upstream.errors import FORWARDING_RESPONSES, UpstreamUnavailableError
from service_kit.answer_headers import declare_headers
from service_kit.edge_errors import EDGE_RESPONSES
from service_kit.errors import problem
from service_kit.identity import IDENTITY_HEADER, USER_HEADER
from service_kit.problems import Answers, join_answers
from service_kit.shedding import OverloadedError

FRESH_SECONDS = 60.0
# How long the last good document serves before a failed fetch is tried again.
_PAUSE_SECONDS = 5.0
_TIMEOUT_SECONDS = 2.0
_PUBLIC_PREFIX = "/api/"
_INNER_HEADERS = frozenset((USER_HEADER, IDENTITY_HEADER))
_SAFE = frozenset(("get", "head", "options"))
# What any request may be answered with, whatever it asks for.
_ALWAYS = join_answers(EDGE_RESPONSES, problem(OverloadedError))
# A session cookie needs a listed page, except where nothing can be changed.
_ORIGIN_RESPONSES: dict[bool, Answers] = {True: {}, False: problem(OriginForbiddenError)}
_STREAM_RESPONSES = problem(StreamsFullError)
_INFO = {
    "title": "Taskgate",
    "version": "1",
    "description": "A tasks API for the users your app already has. Every error is a problem "
    "detail (RFC 9457); its `code` is explained under [/docs/errors](/docs/errors).",
}

OpenApi = dict[str, Any]
_logger = structlog.get_logger(__name__)


class PublicDocument:
    """The merged document as JSON; the inner part comes from `tasks` (its base URL set)."""

    def __init__(
        self,
        own: OpenApi,
        tasks: httpx.AsyncClient,
        public_url: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._own = own
        self._tasks = tasks
        self._public_url = public_url
        self._clock = clock
        self._lock = asyncio.Lock()
        self._rendered = b""
        self._fresh_until = 0.0

    async def get(self) -> bytes:
        """Return the document, at most a minute old or else the last that could be made.

        Raises `UpstreamUnavailableError` if the tasks service has never answered yet.
        """
        async with self._lock:
            if not self._rendered or self._clock() >= self._fresh_until:
                await self._refresh()
            return self._rendered

    async def _refresh(self) -> None:
        try:
            document = merge(self._own, await self._fetch(), self._public_url)
        except (httpx.HTTPError, TimeoutError, ValueError, TypeError, LookupError) as error:
            _logger.warning("openapi_fetch_failed", reason=type(error).__name__)
            if not self._rendered:
                raise UpstreamUnavailableError(
                    "The tasks service cannot be asked to describe itself."
                ) from error
            self._fresh_until = self._clock() + _PAUSE_SECONDS
            return
        self._rendered = json.dumps(document, ensure_ascii=False).encode()
        self._fresh_until = self._clock() + FRESH_SECONDS

    async def _fetch(self) -> OpenApi:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            answer = await self._tasks.get("/openapi.json")
        document: OpenApi = answer.raise_for_status().json()
        if not isinstance(document, dict):
            raise TypeError(document)
        return document


def merge(own: OpenApi, inner: OpenApi, public_url: str) -> OpenApi:
    """Return one document of what both have under /api/, every operation behind the bearer token.

    Raises `TypeError` or `LookupError` if `inner` is no OpenAPI document.
    """
    own, inner = copy.deepcopy(own), copy.deepcopy(inner)
    components = [part.get("components", {}) for part in (inner, own)]
    shared = {
        kind: dict(ChainMap(*(each.get(kind, {}) for each in components)))
        for kind in ("schemas", "headers")
    }
    paths = {}
    for part, ways_to_fail in ((own, {}), (inner, FORWARDING_RESPONSES)):
        for path, item in part["paths"].items():
            if path.startswith(_PUBLIC_PREFIX):
                paths[path] = item
                streams = _STREAM_RESPONSES if path == EVENTS else {}
                _put_behind_token(item, join_answers(ways_to_fail, streams))
    document = {
        "openapi": own["openapi"],
        "info": _INFO,
        "servers": [{"url": public_url}],
        "paths": dict(sorted(paths.items())),
        "components": {**own.get("components", {}), **shared},
    }
    declare_headers(document, PUBLIC_HEADERS)
    return document


def _put_behind_token(item: OpenApi, ways_to_fail: Answers) -> None:
    for method, operation in item.items():
        if isinstance(operation, dict):
            operation["security"] = [{SECURITY_SCHEME: []}]
            # What the gateway adds to each request is none of the client's business.
            parameters = [p for p in operation.pop("parameters", []) if not _is_inner(p)]
            if parameters:
                operation["parameters"] = parameters
            responses = operation.setdefault("responses", {})
            # A 401 from behind is about our signature, and never reaches a client.
            responses.pop("401", None)
            of_method = _ORIGIN_RESPONSES[method in _SAFE]
            ours = join_answers(AUTH_RESPONSES, _ALWAYS, of_method, ways_to_fail)
            for status, answer in ours.items():
                known = responses.get(str(status), {})
                joined = join_answers({status: known}, {status: answer})[status]
                responses[str(status)] = {**known, **joined}


def _is_inner(parameter: Mapping[str, Any]) -> bool:
    return parameter.get("in") == "header" and parameter.get("name", "").lower() in _INNER_HEADERS
