"""The application: `uvicorn --factory auth_verifier.main:create_app`."""

import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime

import httpx
from fastapi import FastAPI

from auth_verifier.api.internal.v1 import trust, verification
from auth_verifier.issuers import (
    BETTER_AUTH,
    better_auth,
    better_auth_issuers,
    choose_from,
    further_issuer,
    jwks_url,
)
from auth_verifier.issuers_file import FurtherIssuer, IssuersFileError, read_issuers_file
from auth_verifier.jwks import DEFAULT_POLICY, FetchPolicy, RemoteKeys
from auth_verifier.metrics import Metrics
from auth_verifier.services.verification import Verifier
from auth_verifier.settings import Settings
from service_kit.access_log import AccessLog
from service_kit.api import Lifespan, ServiceApi
from service_kit.clock import utc_now
from service_kit.health import Check, set_readiness_checks
from service_kit.logs import configure_logging
from service_kit.metrics import served
from service_kit.settings import load_settings, refuse_to_start
from service_kit.tracing import tracers

SERVICE = "auth-verifier"


def build_api(lifespan: Lifespan | None = None) -> ServiceApi:
    """Build the routes; without settings or I/O, so that the spec check can read them."""
    api = ServiceApi(
        title="Taskgate auth-verifier",
        description="Decides which tokens are good. Reached by the gateway only.",
        lifespan=lifespan,
    )
    api.include_router(verification.router)
    api.include_router(trust.router)
    return api


def create_app(
    settings: Settings | None = None,
    *,
    policy: FetchPolicy = DEFAULT_POLICY,
    now: Callable[[], datetime] = utc_now,
    clock: Callable[[], float] = time.monotonic,
) -> ServiceApi:
    """Build the service from the environment, or end the process with one line that says why.

    It is ready at once: an issuer that comes up later must not keep the gateway waiting, and
    until then the answer is 503 where its keys are needed.
    """
    settings = settings or load_settings(Settings, SERVICE)
    further = _further_issuers(settings)
    configure_logging(SERVICE, settings.log_level)
    metrics = Metrics()
    checks: dict[str, Check] = {}

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(httpx.AsyncClient(timeout=policy.timeout))

            async def keys_at(url: str | None, issuer: str) -> RemoteKeys | None:
                if not url:
                    return None
                keys = RemoteKeys(url, client, policy, clock, metrics.fetches_of(issuer))
                checks[issuer] = keys.check
                await stack.enter_async_context(keys.kept_fresh())
                return keys

            first = None
            if settings.has_better_auth:
                first = better_auth(settings, await keys_at(jwks_url(settings), BETTER_AUTH))
            others = [
                further_issuer(one, await keys_at(one.entry.jwks_url, one.name), settings)
                for one in further
            ]
            app.state.verifier = Verifier(choose_from(first, others), metrics, now)
            set_readiness_checks(app, checks, optional=checks)
            await stack.enter_async_context(served(metrics.registry, settings.metrics_port))
            yield

    api = build_api(lifespan)
    api.state.public_url = settings.public_url
    log = [AccessLog(SERVICE)] if settings.access_log else []
    api.observers = [metrics, *log, *tracers(SERVICE)]
    api.state.max_waiting = settings.max_waiting
    return api


def _further_issuers(settings: Settings) -> list[FurtherIssuer]:
    if not settings.auth_issuers_file:
        return []
    try:
        return read_issuers_file(
            settings.auth_issuers_file,
            environment=os.environ,
            taken={BETTER_AUTH: better_auth_issuers(settings)},
        )
    except IssuersFileError as error:
        refuse_to_start(SERVICE, str(error))
