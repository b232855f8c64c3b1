"""The tasks service: `uvicorn --factory tasks_service.main:create_app`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import Depends, FastAPI
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from service_kit.access_log import AccessLog
from service_kit.api import Lifespan, ServiceApi
from service_kit.errors import problem
from service_kit.health import Check, set_readiness_checks
from service_kit.logs import configure_logging
from service_kit.metrics import served
from service_kit.settings import load_settings
from service_kit.stopping import on_stop
from service_kit.tracing import is_traced, tracers
from tasks_service.api import phase_two
from tasks_service.api.answer_headers import ANSWER_HEADERS
from tasks_service.api.other_methods import other_methods
from tasks_service.api.trailing_slash import TrailingSlash
from tasks_service.api.v1 import (
    account,
    batch,
    data_import,
    events,
    export,
    recurrence,
    stats,
    sync,
    tag,
    task,
    trash,
)
from tasks_service.api.v1 import list as list_routes
from tasks_service.database import open_database, ping, wait_for_database
from tasks_service.database_failures import install_database_failures
from tasks_service.dependencies.identity import require_own_path
from tasks_service.dependencies.resources import Resources
from tasks_service.errors import UserMismatchError
from tasks_service.housekeeping import kept_tidy
from tasks_service.metrics import Metrics
from tasks_service.schema_version import require_expected_schema
from tasks_service.services.cursor import CursorSealer
from tasks_service.services.events import Events
from tasks_service.services.notices import Notices
from tasks_service.settings import SERVICE, TasksSettings

_START_SECONDS = 10
# While one uses the connection, another reads its body or writes its answer.
_REQUESTS_PER_CONNECTION = 2
_V1 = (
    task.router,
    list_routes.router,
    tag.router,
    trash.router,
    batch.router,
    stats.router,
    recurrence.router,
    export.router,
    data_import.router,
    account.router,
    sync.router,
    events.router,
)


def build_api(lifespan: Lifespan | None = None) -> ServiceApi:
    """Build the app with its routes; it needs no settings and does no I/O."""
    app = ServiceApi(
        title=SERVICE, description="A user's tasks, behind the gateway.", lifespan=lifespan
    )
    app.answer_headers = ANSWER_HEADERS
    for router in _V1:
        app.include_router(router)
    app.include_router(
        phase_two.router,
        prefix=phase_two.USER_PREFIX,
        dependencies=[Depends(require_own_path)],
        responses=problem(UserMismatchError),
        generate_unique_id_function=lambda route: f"{route.name}_of_user",
    )
    app.include_router(phase_two.router, prefix=phase_two.SHORT_PREFIX)
    for router in _V1:
        app.router.routes.extend(other_methods(router))
    for prefix in (phase_two.USER_PREFIX, phase_two.SHORT_PREFIX):
        app.router.routes.extend(other_methods(phase_two.router, prefix))
    app.add_middleware(TrailingSlash)
    install_database_failures(app)
    return app


def create_app(settings: TasksSettings | None = None) -> FastAPI:
    """Build the service, from its environment unless told otherwise.

    A mistake in the settings ends the process with one line.
    """
    settings = settings or load_settings(TasksSettings, SERVICE)
    configure_logging(SERVICE, settings.log_level)
    metrics = Metrics()
    app = build_api(partial(_lifespan, settings, metrics))
    app.state.public_url = settings.public_url
    app.state.metrics = metrics
    log = [AccessLog(SERVICE)] if settings.access_log else []
    app.observers = [metrics, *log, *tracers(SERVICE)]
    app.tells_route = True
    app.state.max_waiting = settings.max_waiting
    app.state.at_once = _REQUESTS_PER_CONNECTION * settings.database_pool_size
    return app


@asynccontextmanager
async def _lifespan(settings: TasksSettings, metrics: Metrics, app: FastAPI) -> AsyncIterator[None]:
    database = open_database(settings.sqlalchemy_url, settings.database_pool_size)
    if is_traced():
        from tasks_service.database_spans import record_statements  # noqa: PLC0415 - with the SDK.

        record_statements(database.engine)
        record_statements(database.export_engine)
    metrics.watch_pool(database.engine, settings.database_pool_size)
    redis = _redis(settings)
    try:
        await wait_for_database(database.engine, _START_SECONDS)
        await require_expected_schema(database.engine)
        keys = settings.identity_keys
        streams = Events(
            database.read_sessions,
            Notices(redis),
            heartbeat=settings.events_heartbeat,
            poll=settings.events_poll,
        )
        app.state.resources = Resources(database, keys, CursorSealer(keys), streams)
        checks: dict[str, Check] = {"database": partial(ping, database.engine)}
        set_readiness_checks(app, checks | {"redis": partial(_ping, redis)}, optional=["redis"])
        async with (
            served(metrics.registry, settings.metrics_port),
            kept_tidy(database.sessions, settings.housekeeping_seconds),
            streams.running(),
        ):
            with on_stop(streams.stop):
                yield
    finally:
        await redis.aclose()
        await database.aclose()


def _redis(settings: TasksSettings) -> Redis:
    # Tried once more, because a connection from before a restart of Redis fails though it is there.
    return Redis.from_url(
        settings.redis_url.get_secret_value(),
        retry=Retry(NoBackoff(), 1),
        # So that a listener notices when its connection has died in silence.
        health_check_interval=10,
    )


async def _ping(redis: Redis) -> None:
    await redis.ping()
