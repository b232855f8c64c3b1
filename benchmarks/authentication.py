"""`python benchmarks/authentication.py [TOKENS]`: how soon changes bite, and what tokens cost.

Real systems on loopback for the first question, one process for the second; the numbers go to
standard output.
"""

import asyncio
import json
import secrets
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import psutil
from httpx import AsyncClient, codes
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from starlette.types import Scope

from devkit.forge import Forge, SigningKey, encode, new_keys, to_json
from devkit.ports import free_port
from devkit.services import url
from devkit.stack import running_stack
from gateway_service.authentication.authenticator import Authenticator
from gateway_service.authentication.callers import Callers
from gateway_service.authentication.credentials import CredentialKind
from gateway_service.authentication.door import Door
from gateway_service.authentication.refusals import Refusals
from gateway_service.authentication.revocations import Revocations
from gateway_service.authentication.session_cookie import SessionCookie
from gateway_service.authentication.trust_watch import TrustWatch
from gateway_service.authentication.verdict_source import VerdictSource
from gateway_service.authentication.verdict_store import VerdictStore
from gateway_service.authentication.verdicts import Verdict
from gateway_service.authentication.verifier_client import VerifierClient
from gateway_service.limits.strangers import Strangers
from gateway_service.metrics import Metrics
from gateway_service.redis_link import RedisLink

ME = "/api/v1/me"
LOGOUT = "/api/v1/auth/logout"
LIMIT_SECONDS = 90
REPORTS = 10
ENTRIES = 50_000


async def main() -> None:
    """Ask the three questions, one after the other."""
    tokens = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    await measure_logout()
    await measure_key_removal()
    await measure_memory(tokens)


async def measure_logout() -> None:
    """Log out at one gateway, and see when another that knows the token refuses it."""
    async with running_stack(gateways=2) as stack, AsyncClient(trust_env=False) as client:
        here, there = stack.urls
        seconds = []
        for number in range(20):
            headers = stack.headers(f"user-{number}")
            await expect(client, there, headers, 200)
            await expect(client, here, headers, 200)
            (await client.post(f"{here}{LOGOUT}", headers=headers)).raise_for_status()
            seconds.append(await time_until_refused(client, there, headers))
        print(f"logout on a second gateway: {_spread(seconds)} ({len(seconds)} logouts)")


async def measure_key_removal() -> None:
    """Take a key out of the JWKS, and see when two gateways refuse its tokens."""
    keys = new_keys()
    async with issuer(keys) as (origin, publish):
        environment = {"auth-verifier": {"BETTER_AUTH_URL": origin}}
        async with (
            running_stack(environment=environment, gateways=2) as stack,
            AsyncClient(trust_env=False) as client,
        ):
            bearer = {"Authorization": f"Bearer {Forge(origin, keys).token('EdDSA')}"}
            for gateway in stack.urls:
                await expect(client, gateway, bearer, 200)
            publish({name: key for name, key in keys.items() if name != "EdDSA"})
            waiting = (time_until_refused(client, gateway, bearer) for gateway in stack.urls)
            first, second = await asyncio.gather(*waiting)
            print(f"key removal: first gateway {first:.1f} s, second gateway {second:.1f} s")


async def measure_memory(tokens: int) -> None:
    """Let so many distinct good tokens in, and watch the memory of the process.

    Authentication is put together as in the gateway, but the verifier answers within the process
    and there is no Redis: asking over the network would take an hour and leave the same behind.
    """
    link = RedisLink(
        Redis.from_url(f"redis://127.0.0.1:{free_port()}", retry=Retry(NoBackoff(), 0))
    )
    key, metrics = secrets.token_bytes(32), Metrics()
    verifier = BelievingVerifier(metrics)
    trust = TrustWatch(verifier)
    authenticator = Authenticator(
        door=Door(SessionCookie("better-auth"), origins=()),
        callers=Callers(ENTRIES, key=key, trust=trust, metrics=metrics, clock=time.time),
        source=VerdictSource(
            store=VerdictStore(link, [key], metrics),
            verifier=verifier,
            trust=trust,
            revocations=Revocations(link, refuse_unknown=False, clock=time.time),
            clock=time.time,
        ),
        refusals=Refusals(metrics, trusted_proxies=()),
        strangers=Strangers(None, None, ()),
    )
    process = psutil.Process()
    print(f"memory before: {_memory(process)}; at most {ENTRIES:,} entries are kept in process")
    for number in range(1, tokens + 1):
        await authenticator.authenticate(_request(number))
        if number % max(tokens // REPORTS, 1) == 0:
            print(f"after {number:>9,} tokens: {_memory(process)}", flush=True)


class BelievingVerifier(VerifierClient):
    """Believes every token, at once."""

    def __init__(self, metrics: Metrics) -> None:
        super().__init__(AsyncClient(), ttl=30, metrics=metrics)

    async def verify(self, token: str, kind: CredentialKind, now: float) -> Verdict:  # noqa: ARG002 - whatever it is.
        """Return a verdict on another user's token each time."""
        unique = secrets.token_hex(16)
        return Verdict(
            user_id=unique,
            issuer="better-auth",
            expires_at=int(now) + 3600,
            not_before=None,
            issued_at=int(now),
            token_key=unique * 2,
            token_ends_at=int(now) + 3600,
            user_tokens_end_at=int(now) + 3600,
            trust_version=unique * 2,
            verified_at=now,
            stale_at=now + 30,
        )


@asynccontextmanager
async def issuer(
    keys: dict[str, SigningKey],
) -> AsyncIterator[tuple[str, Callable[[dict[str, SigningKey]], None]]]:
    """Serve a JWKS; yield its origin, and a function that publishes other keys."""
    published = keys

    def publish(others: dict[str, SigningKey]) -> None:
        nonlocal published
        published = others

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = to_json({"keys": [key.jwk() for key in published.values()]})
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield url(server.sockets[0].getsockname()[1]), publish


async def expect(client: AsyncClient, gateway: str, headers: dict[str, str], status: int) -> None:
    """Ask who we are, and insist on the status."""
    answer = await client.get(f"{gateway}{ME}", headers=headers)
    if answer.status_code != status:
        raise RuntimeError(answer.text)


async def time_until_refused(client: AsyncClient, gateway: str, headers: dict[str, str]) -> float:
    """Return for how many seconds a gateway goes on letting a token in."""
    start = time.monotonic()
    async with asyncio.timeout(LIMIT_SECONDS):
        while (await client.get(f"{gateway}{ME}", headers=headers)).status_code == codes.OK:
            pass
    return time.monotonic() - start


def _request(number: int) -> Scope:
    claims = {"sub": f"user-{number}", "email": f"user-{number}@example.com", "exp": 2**33}
    parts = [b'{"alg":"HS256"}', json.dumps(claims).encode(), number.to_bytes(32)]
    bearer = f"Bearer {'.'.join(map(encode, parts))}"
    return {"type": "http", "method": "GET", "headers": [(b"authorization", bearer.encode())]}


def _memory(process: psutil.Process) -> str:
    return f"{process.memory_info().rss / 2**20:.0f} MiB"


def _spread(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    median = ordered[len(ordered) // 2]
    return f"median {median * 1000:.0f} ms, longest {ordered[-1] * 1000:.0f} ms"


if __name__ == "__main__":
    asyncio.run(main())
