"""405 with every method a path takes, where Starlette names only those of its first route."""

from collections import defaultdict
from collections.abc import Iterator

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from service_kit.errors import MethodNotAllowedError
from service_kit.observed import record_of


class _RefuseMethod:
    """An ASGI app that refuses; being no function, its route takes every method."""

    def __init__(self, path: str, allowed: set[str]) -> None:
        self._path = path
        self._allow = ", ".join(sorted(allowed))

    async def __call__(self, scope: Scope, _receive: Receive, _send: Send) -> None:
        record_of(scope).route = self._path
        raise MethodNotAllowedError({"Allow": self._allow})


def refuse_other_methods(router: APIRouter, path: str, *allowed: str) -> None:
    """Keep a path from the router's routes that come later, and would take it for an id."""
    whole = router.prefix + path
    router.routes.append(Route(whole, _RefuseMethod(whole, set(allowed)), include_in_schema=False))


def other_methods(router: APIRouter, prefix: str = "") -> Iterator[Route]:
    """Yield one route for each path of the router, to stand behind all that answer."""
    allowed: defaultdict[str, set[str]] = defaultdict(set)
    for route in router.routes:
        if isinstance(route, APIRoute):
            allowed[route.path] |= route.methods or set()
    for path, methods in allowed.items():
        template = prefix + path
        yield Route(template, _RefuseMethod(template, methods), include_in_schema=False)
