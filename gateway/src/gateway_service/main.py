"""The application: `uvicorn --factory gateway_service.main:create_app`."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
from fastapi import FastAPI
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from gateway_service.api import me
from gateway_service.authentication import Authenticator
from gateway_service.cors import Cors
from gateway_service.forwarding import Forwarder
from gateway_service.gateway import Gateway
from gateway_service.pages import router as pages
from gateway_service.pages.site import load_site
from gateway_service.public_document import PublicDocument
from gateway_service.settings import Settings
from gateway_service.upstream.pool import UpstreamPool
from gateway_service.verdict_store import VerdictStore
from gateway_service.verdicts import CallerMemory
from gateway_service.verifier_client import VerifierClient
from service_kit.api import Lifespan, ServiceApi
from service_kit.errors import InternalError, problem_response
from service_kit.health import Check, set_readiness_checks
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
    return api


def create_app(
    settings: Settings | None = None, *, clock: Callable[[], float] = time.time
) -> ASGIApp:
    """Build the gateway from the environment, or end the process with one line that says why.

    `clock` tells Unix seconds. Connections are made when first needed.
    """
    settings = settings or load_settings(Settings, SERVICE)
    configure_logging(SERVICE, settings.log_level)
    redis = _redis(settings)
    verifier = _http(settings.auth_verifier_url)
    tasks = _http(settings.tasks_url)
    pool = UpstreamPool(settings.tasks_url, timeouts=settings.upstream_timeouts)
    authenticator = _authenticator(settings, redis, verifier, clock)

    @asynccontextmanager
    async def lifespan(_api: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for close in (redis.aclose, verifier.aclose, tasks.aclose, pool.aclose):
                stack.push_async_callback(close)
            stack.push_async_callback(authenticator.aclose)
            yield

    api = build_api(lifespan)
    api.state.public_url = settings.public_url
    api.state.site = load_site()
    api.state.public_document = PublicDocument(api.openapi(), tasks, settings.public_url)
    checks = {
        "tasks": _is_ready(tasks),
        "auth-verifier": _is_ready(verifier),
        "redis": lambda: _answers(redis),
    }
    set_readiness_checks(api, checks, optional=["redis"])
    gateway = Gateway(
        api,
        authenticator=authenticator,
        forwarder=Forwarder(pool, body_limit=BODY_LIMIT_BYTES),
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


def _authenticator(
    settings: Settings, redis: Redis, verifier: httpx.AsyncClient, clock: Callable[[], float]
) -> Authenticator:
    return Authenticator(
        memory=CallerMemory(settings.verdict_memory_entries),
        store=VerdictStore(redis, settings.keys, ttl=settings.verdict_ttl_seconds),
        verifier=VerifierClient(verifier),
        key=settings.keys[0],
        clock=clock,
    )


def _redis(settings: Settings) -> Redis:
    # The store has a time limit of its own; trying again would only make a request wait.
    return Redis.from_url(settings.redis_url.get_secret_value(), retry=Retry(NoBackoff(), 0))


def _http(base_url: str) -> httpx.AsyncClient:
    # Idle connections end before uvicorn ends them (5 s), so none is used as it closes.
    limits = httpx.Limits(max_connections=100, keepalive_expiry=2.0)
    return httpx.AsyncClient(base_url=base_url, limits=limits, trust_env=False)


def _is_ready(client: httpx.AsyncClient) -> Check:
    async def check() -> None:
        (await client.get("/readyz")).raise_for_status()

    return check


async def _answers(redis: Redis) -> None:
    await redis.ping()
