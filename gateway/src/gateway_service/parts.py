"""What the gateway is made of, put together from its settings."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import httpx
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from gateway_service.authentication.authenticator import Authenticator
from gateway_service.authentication.callers import Callers
from gateway_service.authentication.door import Door
from gateway_service.authentication.refusals import Refusals
from gateway_service.authentication.revocations import Revocations
from gateway_service.authentication.session_cookie import SessionCookie
from gateway_service.authentication.trust_watch import TrustWatch
from gateway_service.authentication.verdict_source import VerdictSource
from gateway_service.authentication.verdict_store import VerdictStore
from gateway_service.authentication.verifier_client import VerifierClient
from gateway_service.event_streams import EventStreams
from gateway_service.forwarding import Forwarder
from gateway_service.limits.limits import make_limits
from gateway_service.metrics import Metrics
from gateway_service.redis_link import RedisLink
from gateway_service.settings import Settings
from gateway_service.upstream.pool import UpstreamPool
from service_kit.health import Check
from service_kit.metrics import served
from service_kit.stopping import on_stop

# Longer than the longest heartbeat of the tasks service, with some to spare.
_STREAM_SILENCE_SECONDS = 150.0


class Parts:
    """The parts of one gateway process; they do their work inside `async with running()`."""

    def __init__(self, settings: Settings, clock: Callable[[], float], trust_period: float) -> None:
        self.metrics = Metrics()
        self.pool = UpstreamPool(settings.tasks_url, timeouts=settings.upstream_timeouts)
        # Of their own, so that idle streams leave the other requests their connections.
        self._stream_pool = UpstreamPool(
            settings.tasks_url,
            timeouts=replace(settings.upstream_timeouts, answer_body=_STREAM_SILENCE_SECONDS),
            max_connections=settings.event_streams,
        )
        self.tasks = _http(settings.tasks_url)
        self._verifier = _http(settings.auth_verifier_url)
        self._redis = _redis(settings)
        self._metrics_port = settings.metrics_port
        link = RedisLink(self._redis)
        verifier = VerifierClient(self._verifier, settings.verdict_ttl_seconds, self.metrics)
        self._trust = TrustWatch(verifier, trust_period)
        self.revocations = Revocations(
            link, refuse_unknown=settings.unknown_revocation == "refuse", clock=clock
        )
        self._source = VerdictSource(
            store=VerdictStore(link, settings.keys, self.metrics),
            verifier=verifier,
            trust=self._trust,
            revocations=self.revocations,
            clock=clock,
        )
        self.limits = make_limits(settings, link, self.metrics, clock)
        self.authenticator = Authenticator(
            door=_door(settings),
            callers=Callers(
                settings.verdict_memory_entries,
                key=settings.keys[0],
                trust=self._trust,
                metrics=self.metrics,
                clock=clock,
            ),
            source=self._source,
            refusals=Refusals(self.metrics, settings.trusted_proxies),
            strangers=self.limits.strangers,
        )
        self.streams = EventStreams(
            # A stream is asked for without a body.
            Forwarder(self._stream_pool, body_limit=0),
            most=settings.event_streams,
            authenticator=self.authenticator,
            source=self._source,
            clock=clock,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep what works in the background going, and close everything at the end."""
        async with AsyncExitStack() as stack:
            clients = (self._redis, self._verifier, self.tasks, self.pool, self._stream_pool)
            for client in clients:
                stack.push_async_callback(client.aclose)
            stack.push_async_callback(self._source.aclose)
            stack.push_async_callback(self.limits.aclose)
            await stack.enter_async_context(served(self.metrics.registry, self._metrics_port))
            await stack.enter_async_context(self._trust.kept_up())
            await stack.enter_async_context(self.revocations.kept_informed(self._redis))
            await stack.enter_async_context(self.streams.kept_up())
            stack.enter_context(on_stop(self.streams.stop))
            yield

    def checks(self) -> dict[str, Check]:
        """Return how to ask each part the gateway leans on whether it is there."""

        async def redis_answers() -> None:
            await self._redis.ping()

        return {
            "tasks": _is_ready(self.tasks),
            "auth-verifier": _is_ready(self._verifier),
            "redis": redis_answers,
        }


def _door(settings: Settings) -> Door:
    origins = frozenset(origin.encode() for origin in settings.cors_origins)
    return Door(SessionCookie(settings.better_auth_cookie_prefix), origins)


def _redis(settings: Settings) -> Redis:
    return Redis.from_url(
        settings.redis_url.get_secret_value(),
        # Once, because a connection from before a restart of Redis fails though Redis is there;
        # more would only make a request wait.
        retry=Retry(NoBackoff(), 1),
        # So that a listener notices when its connection has died in silence.
        health_check_interval=10,
    )


def _http(base_url: str) -> httpx.AsyncClient:
    # Idle connections end before uvicorn ends them (5 s), so none is used as it closes.
    limits = httpx.Limits(max_connections=100, keepalive_expiry=2.0)
    return httpx.AsyncClient(base_url=base_url, limits=limits, trust_env=False)


def _is_ready(client: httpx.AsyncClient) -> Check:
    async def check() -> None:
        (await client.get("/readyz")).raise_for_status()

    return check
