"""The application: `uvicorn --factory gateway_service.main:create_app`."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from gateway_service.api import auth, me
from gateway_service.authentication.trust_watch import PERIOD_SECONDS
from gateway_service.cors import Cors
from gateway_service.forwarding import Forwarder
from gateway_service.gateway import Gateway
from gateway_service.pages import router as pages
from gateway_service.pages.site import load_site
from gateway_service.parts import Parts
from gateway_service.public_document import PublicDocument
from gateway_service.settings import Settings
from service_kit.api import Lifespan, ServiceApi
from service_kit.errors import InternalError, problem_response
from service_kit.health import set_readiness_checks
from service_kit.logs import configure_logging
from service_kit.request_id import RequestIdMiddleware
from service_kit.settings import load_settings

SERVICE = "gateway"
BODY_LIMIT_BYTES = 1024 * 1024


class _ControlApi(ServiceApi):
    def setup(self) -> None:
        """Take the place of FastAPI's /openapi.json with ours."""
        self.include_router(pages.router)


def build_api(lifespan: Lifespan | None = None) -> ServiceApi:
    """Build the routes; without settings or I/O, so that the spec check can read them."""
    api = _ControlApi(
        title="Taskgate gateway",
        description="The public door: what it answers itself. All else under /api/ is forwarded.",
        lifespan=lifespan,
    )
    api.include_router(me.router)
    api.include_router(auth.router)
    return api


def create_app(
    settings: Settings | None = None,
    *,
    clock: Callable[[], float] = time.time,
    trust_period: float = PERIOD_SECONDS,
) -> ASGIApp:
    """Build the gateway from the environment, or end the process with one line that says why.

    `clock` tells Unix seconds; every `trust_period` seconds the verifier is asked whether its
    verdicts still hold. Connections are made when first needed.
    """
    settings = settings or load_settings(Settings, SERVICE)
    configure_logging(SERVICE, settings.log_level)
    parts = Parts(settings, clock, trust_period)

    @asynccontextmanager
    async def lifespan(_api: FastAPI) -> AsyncIterator[None]:
        async with parts.running():
            yield

    api = build_api(lifespan)
    api.state.public_url = settings.public_url
    api.state.site = load_site()
    api.state.revocations = parts.revocations
    api.state.public_document = PublicDocument(api.openapi(), parts.tasks, settings.public_url)
    set_readiness_checks(api, parts.checks(), optional=["redis"])
    gateway = Gateway(
        api,
        authenticator=parts.authenticator,
        forwarder=Forwarder(parts.pool, body_limit=BODY_LIMIT_BYTES),
        streams=parts.streams,
        public_url=settings.public_url,
    )
    return _surround(gateway, settings)


def _surround(gateway: ASGIApp, settings: Settings) -> ASGIApp:
    """Put what every answer has around it: an id, CORS headers, a problem instead of a crash."""

    async def answer_crash(_request: Request, _error: Exception) -> Response:
        return problem_response(InternalError(), settings.public_url)

    guarded = ServerErrorMiddleware(gateway, handler=answer_crash)
    cors = Cors(guarded, origins=settings.cors_origins, public_url=settings.public_url)
    return RequestIdMiddleware(cors)
