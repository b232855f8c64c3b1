"""The running system as contract and end-to-end tests see it: one stack, and clients of it."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from httpx import AsyncClient

from devkit.declared import Declared
from devkit.forge import Forge, SigningKey, new_keys, to_json
from devkit.pytest_plugin import CreateDatabase
from devkit.stack import Stack, running_stack
from service_kit.problems import Problem

Connect = Callable[[str, Mapping[str, str]], Awaitable[AsyncClient]]
# RFC 9110 §15.5.2 and §15.5.6; AUTH-23, GW-12 and TASK-23.
_REQUIRED_HEADERS = {401: "www-authenticate", 405: "allow", 503: "retry-after"}


@pytest.fixture(scope="session")
def frontend() -> str:
    """Give the one origin the stack's gateway admits."""
    return "https://app.test"


@pytest.fixture(scope="session")
def issuer_keys() -> Mapping[str, SigningKey]:
    """Give the keys of an issuer the stack trusts: one for each algorithm, and a weak one.

    "weak" is an RSA key of 2047 bits; the issuer publishes it all the same.
    """
    pair = rsa.generate_private_key(65537, 2047)  # noqa: S505 - made to be refused.
    return {**new_keys(), "weak": SigningKey("RS256", pair, "weak")}


@pytest.fixture(scope="session")
async def issuer_url(issuer_keys: Mapping[str, SigningKey]) -> AsyncIterator[str]:
    """Serve the issuer's public keys wherever they are asked for, and give the issuer's origin."""
    body = to_json({"keys": [key.jwk() for key in issuer_keys.values()]})
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n"

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"{head}Content-Type: application/json\r\n\r\n".encode() + body)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.fixture(scope="session")
async def stack(
    create_database: CreateDatabase, redis_url: str, issuer_url: str, frontend: str
) -> AsyncIterator[Stack]:
    """Give the system every test here shares: it has an issuer besides the secret, and CORS."""
    environment = {
        "gateway": {"CORS_ORIGINS": frontend},
        "auth-verifier": {"BETTER_AUTH_URL": issuer_url},
    }
    async with running_stack(
        database_url=await create_database(), redis_url=redis_url, environment=environment
    ) as running:
        yield running


@pytest.fixture(scope="session")
def forge(stack: Stack, issuer_url: str, issuer_keys: Mapping[str, SigningKey]) -> Forge:
    """Give what makes tokens for the stack: by any of the issuer's keys, or its secret (HS256)."""
    secret = SigningKey("HS256", stack.secret.encode())
    return Forge(issuer_url, {**issuer_keys, "HS256": secret})


@pytest.fixture(scope="session")
async def declared(stack: Stack) -> Declared:
    """Give what the operations of the system may answer, as its own document says."""
    async with AsyncClient(base_url=stack.url, trust_env=False, timeout=30) as client:
        return Declared((await client.get("/openapi.json")).json())


@pytest.fixture
async def connect(declared: Declared, stack: Stack) -> AsyncIterator[Connect]:
    """Give a function that opens a client; each error it ever receives must be a whole problem.

    A gateway's every answer must be one its operation declares.
    """

    async def check(response: httpx.Response) -> None:
        await _check_problem(response)
        request, status = response.request, response.status_code
        if not str(request.url).startswith(stack.tasks_url):
            code = response.json()["code"] if status >= 400 else None
            path, headers = request.url.path, response.headers.keys()
            assert not declared.objection(request.method, path, status, code, headers)

    async with AsyncExitStack() as opened:

        async def connect(url: str, headers: Mapping[str, str]) -> AsyncClient:
            hooks = {"response": [check]}
            client = AsyncClient(
                base_url=url, headers=headers, event_hooks=hooks, trust_env=False, timeout=30
            )
            return await opened.enter_async_context(client)

        yield connect


async def _check_problem(response: httpx.Response) -> None:
    assert response.headers["x-request-id"]
    if response.status_code < 400 or "/docs/" in response.request.url.path:
        return
    await response.aread()
    assert response.headers["content-type"] == "application/problem+json"
    problem = Problem.model_validate_json(response.content, strict=True)
    assert problem.status == response.status_code
    assert problem.request_id == response.headers["x-request-id"]
    assert problem.type.endswith(f"/docs/errors#{problem.code}")
    assert _REQUIRED_HEADERS.get(problem.status, "content-type") in response.headers


@pytest.fixture
async def anonymous(connect: Connect, stack: Stack) -> AsyncClient:
    """Give a client that sends no token."""
    return await connect(stack.url, {})


@pytest.fixture
def alice_id() -> str:
    """Give the id of a user no other test knows."""
    return f"alice-{secrets.token_hex(8)}"


@pytest.fixture
async def alice(connect: Connect, stack: Stack, alice_id: str) -> AsyncClient:
    """Give a client of a user without tasks."""
    return await connect(stack.url, stack.headers(alice_id))


@pytest.fixture
async def mallory(connect: Connect, stack: Stack) -> AsyncClient:
    """Give a client of another user without tasks."""
    return await connect(stack.url, stack.headers(f"mallory-{secrets.token_hex(8)}"))
