"""The FastAPI application every service starts from."""

import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any

from fastapi import FastAPI
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service_kit.answer_headers import AnswerHeader, declare_headers
from service_kit.errors import install_error_handlers
from service_kit.health import router as health_router
from service_kit.observed import Observed, Observer
from service_kit.problems import add_problem_schema
from service_kit.refused import Refused
from service_kit.settings import ServiceSettings
from service_kit.shedding import Shedding

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


class StartupError(Exception):
    """The service cannot start; the message is the one line a person reads."""


class ServiceApi(FastAPI):
    """A FastAPI with our errors, request id and health, and nothing that redirects.

    `observers` are told of every request, and a service behind the gateway `tells_route`s; both
    are set before the first request, as are `answer_headers`, which the OpenAPI document declares.
    """

    observers: Sequence[Observer] = ()
    tells_route = False
    answer_headers: Sequence[AnswerHeader] = ()

    def __init__(self, *, title: str, description: str, lifespan: Lifespan | None = None) -> None:
        super().__init__(
            title=title,
            description=description,
            version="1",
            docs_url=None,
            redoc_url=None,
            redirect_slashes=False,
            generate_unique_id_function=lambda route: route.name,
            lifespan=lifespan,
        )
        self.state.public_url = ServiceSettings.model_fields["public_url"].default
        self.state.max_waiting = ServiceSettings.model_fields["max_waiting"].default
        self.state.at_once = None
        install_error_handlers(self)
        self.include_router(health_router, include_in_schema=False)

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document, its errors as problem details."""
        if self.openapi_schema is None:
            document = add_problem_schema(super().openapi())
            for item in document.get("paths", {}).values():
                for operation in item.values():
                    for parameter in operation.get("parameters", []):
                        _say_it_is_never_null(parameter["schema"])
            if self.answer_headers:
                declare_headers(document, self.answer_headers)
            self.openapi_schema = document
        return self.openapi_schema

    def build_middleware_stack(self) -> ASGIApp:
        """Put the request id outside everything, so that a 500 carries it too."""
        served = Shedding(
            _left_alone(super().build_middleware_stack()),
            limit=self.state.max_waiting,
            at_once=self.state.at_once,
            public_url=self.state.public_url,
        )
        answering = Refused(served, self.state.public_url)
        return Observed(answering, self.observers, tells_route=self.tells_route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection (ASGI); a `StartupError` ends the start with its one line."""
        if scope["type"] != "lifespan":
            await super().__call__(scope, receive, send)
            return

        async def send_one_line(message: Message) -> None:
            error = sys.exception()
            if message["type"] == "lifespan.startup.failed" and isinstance(error, StartupError):
                message = {**message, "message": f"{self.title}: refusing to start: {error}"}
            await send(message)

        with suppress(StartupError):
            await super().__call__(scope, receive, send_one_line)


def _left_alone(app: ASGIApp) -> ASGIApp:
    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        # A client that leaves in the middle is no failure of ours.
        with suppress(ClientDisconnect):
            await app(scope, receive, send)

    return serve


def _say_it_is_never_null(schema: dict[str, Any]) -> None:
    # FastAPI writes "or null" of what may be left out; in a URL or a header that is a word.
    kinds = [kind for kind in schema.get("anyOf", []) if kind != {"type": "null"}]
    if len(kinds) == 1:
        del schema["anyOf"]
        schema.update(kinds[0])
    elif kinds:
        schema["anyOf"] = kinds
