"""A gateway as it is usually written: a catch-all FastAPI route, PyJWT, Redis and httpx."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256

import jwt
from fastapi import APIRouter, FastAPI, HTTPException, Request, Response  # noqa: TID251 - as usual
from httpx import AsyncClient
from redis.asyncio import Redis

_VERDICT_SECONDS = 30
_NOT_PASSED_ON = frozenset(("host", "authorization", "content-length", "connection"))
_NOT_PASSED_BACK = frozenset(("content-length", "transfer-encoding", "connection"))


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    redis = Redis.from_url(os.environ["REDIS_URL"])
    async with AsyncClient(base_url=os.environ["TASKS_URL"], trust_env=False) as client, redis:
        app.state.client, app.state.redis = client, redis
        yield


router = APIRouter()


@router.get("/healthz")
async def get_health() -> Response:
    """Tell that the process is alive."""
    return Response()


@router.api_route("/{path:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
async def forward(path: str, request: Request) -> Response:
    """Forward whatever comes, with the user's id."""
    headers = {k: v for k, v in request.headers.items() if k not in _NOT_PASSED_ON}
    headers["x-user-id"] = await _user_id(request)
    answer = await request.app.state.client.request(
        request.method,
        f"/{path}",
        params=request.query_params,
        headers=headers,
        content=await request.body(),
    )
    passed = {k: v for k, v in answer.headers.items() if k not in _NOT_PASSED_BACK}
    return Response(answer.content, answer.status_code, passed)


async def _user_id(request: Request) -> str:
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    key = f"verdict:{sha256(token.encode()).hexdigest()}"
    redis = request.app.state.redis
    known: bytes | None = await redis.get(key)
    if known is not None:
        return known.decode()
    try:
        claims = jwt.decode(token, os.environ["BETTER_AUTH_SECRET"], algorithms=["HS256"])
    except jwt.InvalidTokenError as error:
        raise HTTPException(401) from error
    await redis.set(key, claims["sub"], ex=_VERDICT_SECONDS)
    return str(claims["sub"])


def create_app() -> FastAPI:
    """Build the gateway; it reads `TASKS_URL`, `REDIS_URL` and `BETTER_AUTH_SECRET`."""
    app = FastAPI(lifespan=_lifespan)
    app.include_router(router)
    return app
