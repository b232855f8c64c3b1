"""Everybody around the verifier in a test's hands: an issuer on loopback, its keys, two clocks."""

import asyncio
import json
import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import EllipsisType
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from httpx import ASGITransport, AsyncClient, Response

from auth_verifier.jwks import FetchPolicy
from auth_verifier.main import create_app
from auth_verifier.settings import Settings

PATIENCE = 20.0
ORIGIN = "https://app.example.com"
NOW = 1_800_000_000
JSON = {"content-type": "application/json"}
PATIENT_POLICY = FetchPolicy(max_age=3600)


@dataclass
class Clock:
    """Both times the verifier asks for; they move when a test says so."""

    wall: float = NOW
    monotonic: float = 1000.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.wall, UTC)

    def read(self) -> float:
        return self.monotonic


@dataclass(frozen=True)
class SigningKey:
    """A key pair, or a shared secret, and the algorithm it signs with."""

    algorithm: str
    private: Any = field(repr=False)
    kid: str | None = None

    def sign(self, message: bytes) -> bytes:
        return jwt.get_algorithm_by_name(self.algorithm).sign(message, self.private)

    def jwk(self, **members: Any) -> dict[str, Any]:
        algorithm = jwt.get_algorithm_by_name(self.algorithm)
        public: dict[str, Any] = algorithm.to_jwk(self.private.public_key(), as_dict=True)
        public.pop("key_ops", None)
        return {**public, "kid": self.kid, "alg": self.algorithm, **members}


def without(members: dict[str, Any]) -> dict[str, Any]:
    """Leave out what a test set to `...`."""
    return {name: value for name, value in members.items() if not isinstance(value, EllipsisType)}


def encode(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def http_answer(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    head = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", "connection: close", *headers]
    return "\r\n".join([*head, "", ""]).encode() + body


class LoopbackIssuer:
    """A server that publishes keys, or whatever bytes a test makes it answer."""

    def __init__(self) -> None:
        self.answer = b""
        self.paths: list[str] = []
        self.drips = False
        self.open = asyncio.Event()
        self.open.set()
        self._port = 0
        self._asked = asyncio.Condition()
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def publish(self, *keys: Any) -> None:
        self.answer = http_answer(json.dumps({"keys": keys}).encode())

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server:
            self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def asked(self, times: int) -> None:
        """Wait until so many requests have come since the start."""
        async with asyncio.timeout(PATIENCE), self._asked:
            await self._asked.wait_for(lambda: len(self.paths) >= times)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        try:
            await self._answer(reader, writer)
        except (ConnectionError, asyncio.CancelledError, asyncio.IncompleteReadError):
            writer.transport.abort()
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        async with self._asked:
            self.paths.append(head.split()[1].decode())
            self._asked.notify_all()
        # What was published when the request came, however late the answer is let go.
        answer = self.answer
        await self.open.wait()
        pieces = [bytes([byte]) for byte in answer] if self.drips else [answer]
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.05 if self.drips else 0)


@pytest.fixture(scope="session")
def keys() -> dict[str, SigningKey]:
    """One key for each algorithm, `kid` being its name; all RSA algorithms share the numbers."""
    rsa_key = rsa.generate_private_key(65537, 2048)
    private: dict[str, Any] = {
        "EdDSA": ed25519.Ed25519PrivateKey.generate(),
        "ES256": ec.generate_private_key(ec.SECP256R1()),
        "ES384": ec.generate_private_key(ec.SECP384R1()),
        "ES512": ec.generate_private_key(ec.SECP521R1()),
        **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), rsa_key),
    }
    return {name: SigningKey(name, key, f"key-{name}") for name, key in private.items()}


@pytest.fixture
def new_key() -> Callable[..., SigningKey]:
    """Make a further EdDSA key by its `kid`."""
    return lambda kid: SigningKey("EdDSA", ed25519.Ed25519PrivateKey.generate(), kid)


@pytest.fixture(scope="session")
def small_rsa_key() -> SigningKey:
    weak = rsa.generate_private_key(65537, 1024)  # noqa: S505 - made to be refused.
    return SigningKey("RS256", weak, "small")


@pytest.fixture(scope="session")
def secret() -> str:
    return secrets.token_urlsafe(48)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def issuer(keys: dict[str, SigningKey]) -> AsyncIterator[LoopbackIssuer]:
    issuer = LoopbackIssuer()
    issuer.publish(*(key.jwk() for key in keys.values()))
    await issuer.start()
    yield issuer
    await issuer.stop()


@pytest.fixture
async def other_issuer() -> AsyncIterator[LoopbackIssuer]:
    """A server that publishes nothing until a test says what."""
    issuer = LoopbackIssuer()
    await issuer.start()
    yield issuer
    await issuer.stop()


@pytest.fixture
def write_issuers(tmp_path: Path, issuer: LoopbackIssuer) -> Callable[[str], Path]:
    """Write an issuers file; each `jwks_url` in it becomes that of the server on loopback."""

    def write(text: str) -> Path:
        path = tmp_path / "issuers.toml"
        path.write_text(re.sub(r'jwks_url = "https:.*"', f'jwks_url = "{issuer.url}/jwks"', text))
        return path

    return write


@pytest.fixture
def token(keys: dict[str, SigningKey], secret: str) -> Callable[..., str]:
    """Make a token: good, but for the header members and claims a test gives (`...`: left out).

    `raw_header` and `raw_claims` are bytes in place of the JSON; `by` names an algorithm of
    `keys`, or HS256, or is a key of the test's own.
    """

    def make(
        by: str | SigningKey = "HS256",
        header: dict[str, Any] | None = None,
        *,
        raw_header: bytes | None = None,
        raw_claims: bytes | None = None,
        **claims: Any,
    ) -> str:
        key = SigningKey("HS256", secret.encode()) if by == "HS256" else by
        key = keys[key] if isinstance(key, str) else key
        members = {"alg": key.algorithm, "kid": key.kid or ..., **(header or {})}
        good = {"sub": "u1", "iat": NOW, "exp": NOW + 900, "iss": ORIGIN, "aud": ORIGIN}
        head = json.dumps(without(members)).encode() if raw_header is None else raw_header
        body = json.dumps(without(good | claims)).encode() if raw_claims is None else raw_claims
        signed = f"{encode(head)}.{encode(body)}"
        return f"{signed}.{encode(key.sign(signed.encode()))}"

    return make


class Verify:
    """Asks a verifier as the gateway does."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def __call__(self, text: str, kind: str = "bearer") -> Response:
        body = json.dumps({"token": text, "kind": kind})
        async with asyncio.timeout(PATIENCE):
            return await self._client.post("/internal/v1/verify", content=body)

    async def cookie(self, text: str) -> Response:
        return await self(text, "session_cookie")

    async def trust_version(self) -> str:
        answer = await self._client.get("/internal/v1/trust")
        return str(answer.json()["version"])


@pytest.fixture
async def start(
    issuer: LoopbackIssuer, secret: str, clock: Clock
) -> AsyncIterator[Callable[..., Awaitable[Verify]]]:
    """Start a verifier of both kinds of token; settings and parts of the policy can be given."""
    async with AsyncExitStack() as stack:

        async def make(policy: dict[str, Any] | None = None, **settings: Any) -> Verify:
            chosen = {
                "better_auth_secret": secret,
                # Some tests ask a thousand questions at once.
                "max_waiting": 2000,
                "better_auth_url": ORIGIN,
                "better_auth_jwks_url": f"{issuer.url}/jwks",
                **settings,
            }
            app = create_app(
                Settings.model_validate(without(chosen)),
                policy=replace(PATIENT_POLICY, **(policy or {})),
                now=clock.now,
                clock=clock.read,
            )
            await stack.enter_async_context(app.router.lifespan_context(app))
            transport = ASGITransport(app, raise_app_exceptions=False)
            client = AsyncClient(transport=transport, base_url="http://verifier", headers=JSON)
            return Verify(await stack.enter_async_context(client))

        yield make


def session_claims(**claims: Any) -> dict[str, Any]:
    """What Better Auth puts into its session cookie; `session` and `user` are merged into."""
    session = {
        "id": "s1",
        "token": secrets.token_hex(16),
        "userId": "u1",
        "createdAt": "2027-01-15T07:00:00.000Z",
        "updatedAt": "2027-01-15T07:00:00.000Z",
        "expiresAt": "2027-01-22T07:00:00.000Z",
        "ipAddress": "",
        "userAgent": "",
    }
    user = {"id": "u1", "name": "Ada", "email": "ada@example.com", "emailVerified": False}
    parts: dict[str, Any] = {"session": session, "user": user}
    for name, part in parts.items():
        if isinstance(changes := claims.pop(name, {}), dict):
            parts[name] = without(part | changes)
        else:
            claims[name] = changes
    nobody = {"sub": ..., "iss": ..., "aud": ...}
    times = {"iat": NOW, "exp": NOW + 300, "updatedAt": NOW * 1000, "version": "1"}
    return {**nobody, **parts, **times, **claims}


@pytest.fixture
def cookie(token: Callable[..., str]) -> Callable[..., str]:
    """Make the cookie of the cache strategy `jwt`, signed by the secret; changed as told."""

    def make(
        by: str | SigningKey = "HS256", header: dict[str, Any] | None = None, **claims: Any
    ) -> str:
        return token(by, header, **session_claims(**claims))

    return make


@pytest.fixture
def keyed_cookie(token: Callable[..., str]) -> Callable[..., str]:
    """Make the cookie of `jwt({ sessionCookieCache: true })`, signed by a key; changed as told."""

    def make(
        by: str | SigningKey = "EdDSA", header: dict[str, Any] | None = None, **claims: Any
    ) -> str:
        usual = {"sub": "u1", "iss": ORIGIN, "aud": "better-auth:session-cache"}
        members = {"typ": "better-auth.session-cache+jwt", **(header or {})}
        return token(by, members, **session_claims(**{**usual, **claims}))

    return make


@pytest.fixture
async def verify(start: Callable[..., Awaitable[Verify]]) -> Verify:
    return await start()
