"""`python benchmarks/authentication.py [TOKENS]`: how soon changes bite, and what tokens cost.

Three real systems on loopback, each for its own question; the numbers go to standard output.
"""

import asyncio
import json
import secrets
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import psutil
from httpx import AsyncClient, ConnectError, codes
from redis.asyncio import Redis

from devkit.forge import Forge, SigningKey, encode, new_keys, to_json
from devkit.ports import free_port
from devkit.process import inherited_environment
from devkit.servers import temporary_redis
from devkit.services import url, uvicorn
from devkit.stack import running_stack
from gateway_service.authentication.credentials import Credential
from gateway_service.authentication.verdict_store import VerdictStore
from gateway_service.authentication.verdicts import Verdict
from gateway_service.metrics import Metrics
from gateway_service.redis_link import RedisLink

ME = "/api/v1/me"
LOGOUT = "/api/v1/auth/logout"
LIMIT_SECONDS = 90
CONNECTIONS = 16
REPORTS = 10
BATCH = 200


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
    """Send so many distinct good tokens through one gateway, and watch its memory.

    It finds their verdicts in Redis, as if another gateway had put them there: verifying each
    would take a hundred times longer, and leave the same behind.
    """
    port, key = free_port(), secrets.token_hex(32)
    async with temporary_redis() as redis:
        environment = inherited_environment() | {
            "TASKS_URL": url(free_port()),
            "AUTH_VERIFIER_URL": url(free_port()),
            "REDIS_URL": redis.url,
            "IDENTITY_KEY": key,
            "LOG_LEVEL": "ERROR",
        }
        gateway = await asyncio.create_subprocess_exec(
            *uvicorn("gateway_service.main:create_app", port), env=environment
        )
        try:
            await answering(url(port))
            async with Redis.from_url(redis.url) as client:
                store = VerdictStore(RedisLink(client), [key.encode()], Metrics())
                await flood(port, psutil.Process(gateway.pid), store, tokens)
        finally:
            gateway.terminate()
            await gateway.wait()


async def flood(port: int, gateway: psutil.Process, store: VerdictStore, tokens: int) -> None:
    """Send the tokens over a few connections, and print the memory now and then."""
    print(f"memory before: {_memory(gateway)}")
    connections = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CONNECTIONS)]
    step = max(tokens // REPORTS, 1)
    for start in range(0, tokens, BATCH):
        batch = [_credential(number) for number in range(start, min(start + BATCH, tokens))]
        shares = (batch[number::CONNECTIONS] for number in range(CONNECTIONS))
        await asyncio.gather(
            *(send(*pair, store) for pair in zip(connections, shares, strict=True))
        )
        sent = start + len(batch)
        if sent // step > start // step:
            cpu = sum(gateway.cpu_times()[:2])
            print(f"after {sent:>9,} tokens: {_memory(gateway)}, {cpu:.0f} s of CPU", flush=True)
    for _, writer in connections:
        writer.close()


async def send(
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    credentials: list[Credential],
    store: VerdictStore,
) -> None:
    """Ask who we are with one credential after the other."""
    reader, writer = connection
    for credential in credentials:
        await store.put(credential, _verdict())
        writer.write(b"GET %b HTTP/1.1\r\nHost: x\r\n" % ME.encode())
        writer.write(b"Authorization: Bearer %b\r\n\r\n" % credential.token)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(head)
        await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split()[0]))


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


async def answering(gateway: str) -> None:
    """Wait until a service answers."""
    async with AsyncClient(trust_env=False) as client, asyncio.timeout(LIMIT_SECONDS):
        while True:
            try:
                await client.get(f"{gateway}/healthz")
            except ConnectError:
                await asyncio.sleep(0.05)
            else:
                return


def _credential(number: int) -> Credential:
    claims = {"sub": f"user-{number}", "email": f"user-{number}@example.com", "exp": 2**33}
    parts = [b'{"alg":"HS256"}', json.dumps(claims).encode(), number.to_bytes(32)]
    return Credential("bearer", ".".join(map(encode, parts)).encode())


def _verdict() -> Verdict:
    now, unique = time.time(), secrets.token_hex(16)
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


def _memory(process: psutil.Process) -> str:
    return f"{process.memory_info().rss / 2**20:.0f} MiB"


def _spread(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    median = ordered[len(ordered) // 2]
    return f"median {median * 1000:.0f} ms, longest {ordered[-1] * 1000:.0f} ms"


if __name__ == "__main__":
    asyncio.run(main())
