"""A gateway served by a real uvicorn, between a verifier and an upstream in the test's hands."""

import asyncio
import contextlib
import json
import logging
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
import uvicorn
from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from devkit.declared import Declared
from devkit.specs.project import public_document, taskgate
from gateway_service.main import create_app
from gateway_service.settings import Settings
from service_kit.edge import GuardedProtocol
from service_kit.errors import InternalError

PATIENCE = 20.0
LOOPBACK = "127.0.0.1"
ORIGIN = "https://app.example.com"
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


class Clock:
    """Unix seconds that pass only when a test says so."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class Part:
    """A service on loopback that a test may stop and start again at its old address."""

    def __init__(self, app: ASGIApp, *, lifespan: str = "off", http: Any = "httptools") -> None:
        self._app = app
        self._lifespan = lifespan
        self._http = http
        self.port = 0
        self._server: QuietServer | None = None
        self._task: asyncio.Task[None]

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    async def start(self) -> Self:
        config = uvicorn.Config(
            self._app,
            host=LOOPBACK,
            port=self.port,
            lifespan=self._lifespan,  # type: ignore[arg-type]  # uvicorn's literals
            http=self._http,
            proxy_headers=False,
            log_config=None,
        )
        self._server = QuietServer(config)
        self._task = asyncio.create_task(self._server.serve(), name="uvicorn")
        async with asyncio.timeout(PATIENCE):
            await self._server.listening.wait()
        self.port = int(self._server.servers[0].sockets[0].getsockname()[1])
        return self

    async def stop(self) -> None:
        if self._server is not None:
            self._server.told_to_end.set()
            self._server = None
            await self._task


class FakeVerifier(Part):
    """Believes every token, and counts: the claims of a token are the answer it gets."""

    def __init__(self) -> None:
        routes = [
            Route("/internal/v1/verify", self._verify, methods=["POST"]),
            Route("/internal/v1/trust", self._tell_trust),
            Route("/readyz", _ready),
        ]
        super().__init__(Starlette(routes=routes))
        self.asked: list[str] = []
        self.kinds: list[str] = []
        self.request_ids: list[str] = []
        self.trust_version = "trust-1"
        self.trust_asked = 0
        self.answer: Response | None = None
        self.was_asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def _verify(self, request: Request) -> Response:
        question = await request.json()
        token = question["token"]
        self.asked.append(token)
        self.kinds.append(question["kind"])
        self.request_ids.append(request.headers["x-request-id"])
        self.was_asked.set()
        await self.may_answer.wait()
        if self.answer is not None:
            return self.answer
        verdict = json.loads(_decoded(token.split(".")[1]))
        return JSONResponse({"trust_version": self.trust_version, **verdict})

    async def _tell_trust(self, _: Request) -> Response:
        self.trust_asked += 1
        return JSONResponse({"version": self.trust_version})

    def refuse(self, code: str = "token_invalid", detail: str = "No.") -> None:
        """Answer every question with a refusal from now on."""
        known = {"reason": "signature", "issuer": "better-auth", "kid": "key-1"}
        self.answer = JSONResponse({"code": code, "detail": detail, **known}, 401)


class EchoUpstream(Part):
    """Tells what reached it; `answer` is given instead when it is set."""

    def __init__(self) -> None:
        routes = [
            Route("/readyz", self._readiness),
            Route("/openapi.json", self._openapi),
            Route("/{path:path}", self._echo, methods=METHODS),
        ]
        super().__init__(Starlette(routes=routes))
        self.requests: list[dict[str, Any]] = []
        self.answer: Response | None = None
        self.openapi: Any = {"openapi": "3.1.0", "paths": {}}
        self.openapi_requests = 0
        self.ready = True

    async def _echo(self, request: Request) -> Response:
        body = await request.body()
        self.requests.append(
            {
                "method": request.method,
                "target": request.scope["raw_path"].decode(),
                "query": request.url.query,
                "headers": [
                    (name.decode("latin-1"), value.decode("latin-1"))
                    for name, value in request.scope["headers"]
                ],
                "body": body.decode(),
            }
        )
        return self.answer or JSONResponse(self.requests[-1])

    async def _openapi(self, _: Request) -> Response:
        self.openapi_requests += 1
        if isinstance(self.openapi, Response):
            return self.openapi
        return JSONResponse(self.openapi)

    async def _readiness(self, _: Request) -> Response:
        return Response(status_code=200 if self.ready else 503)

    def header(self, name: str) -> list[str]:
        """The values of a header of the last request."""
        return [value for key, value in self.requests[-1]["headers"] if key == name]


_declared = Declared(public_document(taskgate(Path())))


async def _check(response: httpx.Response) -> None:
    """Object to a problem that its operation does not declare; a crash is declared nowhere."""
    kind = response.headers.get("content-type")
    if kind == "application/problem+json" and response.status_code != InternalError.status:
        code = json.loads(await response.aread())["code"]
        method, path = response.request.method, response.request.url.path
        headers = response.headers.keys()
        assert not _declared.objection(method, path, response.status_code, code, headers)


class Gateway(Part):
    """A running gateway and a client that talks to it."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(app, lifespan="on", http=GuardedProtocol)
        self.client = httpx.AsyncClient(
            timeout=PATIENCE, trust_env=False, event_hooks={"response": [_check]}
        )

    async def start(self) -> Self:
        await super().start()
        self.client.base_url = httpx.URL(self.url)
        return self

    async def stop(self) -> None:
        await self.client.aclose()
        await super().stop()

    def idle_seconds(self, seconds: int) -> None:
        """Say for how long connections made from now on are kept between requests."""
        assert self._server is not None
        self._server.config.timeout_keep_alive = seconds

    def connections(self) -> list[GuardedProtocol]:
        assert self._server is not None
        connections = self._server.server_state.connections
        return [each for each in connections if isinstance(each, GuardedProtocol)]

    async def get(self, path: str, token: str | None = None, **options: Any) -> httpx.Response:
        headers = httpx.Headers(options.pop("headers", None))
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        return await self.client.get(path, headers=headers, **options)

    async def me(self, token: str) -> httpx.Response:
        return await self.get("/api/v1/me", token)


MakeGateway = Callable[..., Awaitable[Gateway]]


class Entries:
    """The verdicts in Redis, by token."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def name(self, token: str, kind: str = "bearer") -> str:
        return f"taskgate:verdict:{kind}:{sha256(token.encode()).hexdigest()}"

    async def read(self, token: str, kind: str = "bearer") -> bytes | None:
        value = await self._redis.get(self.name(token, kind))
        assert not isinstance(value, str)
        return value

    async def write(self, token: str, value: bytes) -> None:
        await self._redis.set(self.name(token), value, ex=60)

    async def delete(self, token: str) -> None:
        await self._redis.delete(self.name(token))

    async def milliseconds_left(self, token: str) -> int:
        return int(await self._redis.pttl(self.name(token)))


@pytest.fixture(scope="session")
def declared() -> Declared:
    """What the operations of the public document may answer."""
    return _declared


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make_token(clock: Clock) -> Callable[..., str]:
    """Tokens the fake verifier believes; each is another one."""

    def make(user_id: str = "alice", *, lifetime: float = 3600, **claims: object) -> str:
        verdict = {
            "user_id": user_id,
            "issuer": "better-auth",
            "expires_at": int(clock.now + lifetime),
            "not_before": None,
            "issued_at": int(clock.now),
            "key_id": None,
            "token_key": secrets.token_hex(32),
            "token_ends_at": int(clock.now + lifetime),
            "user_tokens_end_at": int(clock.now + 8 * 24 * 60 * 60),
            **claims,
        }
        return f"{encoded({'alg': 'HS256'})}.{encoded(verdict)}.c2ln"

    return make


@pytest.fixture
def token(make_token: Callable[..., str]) -> str:
    return make_token()


@pytest.fixture
async def verifier() -> AsyncIterator[FakeVerifier]:
    async with _running(FakeVerifier()) as part:
        yield part
        part.may_answer.set()


@pytest.fixture
async def upstream() -> AsyncIterator[EchoUpstream]:
    async with _running(EchoUpstream()) as part:
        yield part


@pytest.fixture
def identity_key() -> str:
    return secrets.token_hex(32)


@pytest.fixture
async def make_gateway(
    verifier: FakeVerifier,
    upstream: EchoUpstream,
    redis_url: str,
    identity_key: str,
    clock: Clock,
) -> AsyncIterator[MakeGateway]:
    """Start gateways between the same parts; keywords are settings that differ."""
    async with contextlib.AsyncExitStack() as stack:

        async def make(**settings: Any) -> Gateway:
            usual = {
                "tasks_url": upstream.url,
                "auth_verifier_url": verifier.url,
                "redis_url": redis_url,
                "identity_key": identity_key,
                "cors_origins": ORIGIN,
                "log_level": "WARNING",
                # Every test comes from one address; those of the limits set them.
                "rate_limit_user": 0,
                "rate_limit_address": 0,
                "rate_limit_failures": 0,
            }
            period = settings.pop("trust_period", 3600.0)
            app = create_app(Settings(**{**usual, **settings}), clock=clock, trust_period=period)
            return await stack.enter_async_context(_running(Gateway(app)))

        yield make


@pytest.fixture
async def gateway(make_gateway: MakeGateway) -> Gateway:
    return await make_gateway()


@pytest.fixture
async def entries(redis_url: str) -> AsyncIterator[Entries]:
    redis = Redis.from_url(redis_url)
    yield Entries(redis)
    await redis.aclose()


@pytest.fixture
def log(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """What gateways made after this have written to standard output since the last call."""
    yield lambda: capsys.readouterr().out
    logging.getLogger().handlers.clear()


class QuietServer(uvicorn.Server):
    """Uvicorn without signal handlers, and with events in place of its ticks of 100 ms."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()
        self.told_to_end = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield

    async def main_loop(self) -> None:
        await self.on_tick(0)
        self.listening.set()
        await self.told_to_end.wait()

    async def shutdown(self, sockets: Any = None) -> None:  # noqa: ARG002 - uvicorn's signature
        """End at once: what is under way is cut off."""
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        tasks = list(self.server_state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.lifespan.shutdown()


@contextlib.asynccontextmanager
async def _running(part: Any) -> AsyncIterator[Any]:
    try:
        yield await part.start()
    finally:
        await part.stop()


async def _ready(_: Request) -> Response:
    return Response()


def encoded(value: object) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _decoded(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))
