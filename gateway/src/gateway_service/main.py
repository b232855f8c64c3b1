"""The application: `uvicorn --factory gateway_service.main:create_app`."""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from gateway_service.admission import Admission
from gateway_service.api import auth, me
from gateway_service.authentication.trust_watch import PERIOD_SECONDS
from gateway_service.behind import Behind
from gateway_service.client_address import client_address
from gateway_service.cors import Cors
from gateway_service.forwarding import Forwarder
from gateway_service.gateway import Gateway
from gateway_service.pages import router as pages
from gateway_service.pages.site import load_site
from gateway_service.parts import Parts
from gateway_service.public_document import PublicDocument
from gateway_service.settings import Settings
from service_kit.access_log import AccessLog
from service_kit.api import Lifespan, ServiceApi
from service_kit.errors import InternalError, problem_response
from service_kit.fast_refusal import FastRefusal
from service_kit.health import SERVICE_SECONDS, set_readiness_checks
from service_kit.logs import configure_logging
from service_kit.observed import Observed, Observer
from service_kit.refused import Refused
from service_kit.settings import load_settings
from service_kit.shedding import Shedding
from service_kit.tracing import tracers

SERVICE = "gateway"
BODY_LIMIT_BYTES = 1024 * 1024
# Files are longer than what one writes by hand.
BODY_LIMITS_BYTES = {"/api/v1/import": 10 * 1024 * 1024}
# Who has to wait is refused when turns come late for a moment, so that some dozens have theirs at
# once. More make each request dearer: 64 cost gateway and tasks a tenth more than 32 do.
_AT_ONCE = 40


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
    api.state.max_waiting = settings.max_waiting
    api.state.site = load_site()
    api.state.revocations = parts.revocations
    api.state.public_document = PublicDocument(api.openapi(), parts.tasks, settings.public_url)
    set_readiness_checks(api, parts.checks(), ["redis"], SERVICE_SECONDS)
    gateway = Gateway(
        api,
        admission=Admission(parts.authenticator, parts.limits),
        behind=Behind(
            Forwarder(parts.pool, body_limit=BODY_LIMIT_BYTES, body_limits=BODY_LIMITS_BYTES),
            parts.streams,
            parts.revocations,
            parts.metrics,
        ),
        public_url=settings.public_url,
    )
    return _surround(gateway, settings, _observers(settings, parts))


def _surround(gateway: ASGIApp, settings: Settings, observers: Sequence[Observer]) -> ASGIApp:
    """Put what every answer has around it: an id, CORS headers, a problem instead of a crash."""

    async def answer_crash(_request: Request, _error: Exception) -> Response:
        return problem_response(InternalError(), settings.public_url)

    served = Shedding(
        gateway, limit=settings.max_waiting, at_once=_AT_ONCE, public_url=settings.public_url
    )
    answering = Refused(served, settings.public_url)
    guarded = ServerErrorMiddleware(answering, handler=answer_crash)
    hsts = (b"strict-transport-security", b"max-age=%d" % settings.hsts_max_age)
    cors = Cors(
        guarded,
        origins=settings.cors_origins,
        public_url=settings.public_url,
        always=[hsts] if settings.hsts_max_age else [],
    )
    observed = Observed(cors, observers, tells_timing=True)
    return FastRefusal(observed, served, cors.data_fields, settings.public_url)


def _observers(settings: Settings, parts: Parts) -> list[Observer]:
    client_of = partial(client_address, trusted=settings.trusted_proxies)
    log = [AccessLog(SERVICE, client_of)] if settings.access_log else []
    return [parts.metrics, *log, *tracers(SERVICE)]
