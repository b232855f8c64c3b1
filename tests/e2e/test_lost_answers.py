"""Connections that break when the write is done and nobody has seen the answer yet."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest
from httpx import AsyncClient, Response

from devkit.cutting_proxy import CuttingProxy
from devkit.pytest_plugin import CreateDatabase
from devkit.stack import Stack, running_stack

IMPORT = "/api/v1/import"
TASKS = "/api/v1/tasks"
LIMIT = 20
Connect = Callable[..., Awaitable[AsyncClient]]


class Lines:
    """A system, whose gateway is reached over one line, and reaches tasks over another."""

    def __init__(self, system: Stack, outer: CuttingProxy, inner: CuttingProxy) -> None:
        self.system, self.outer, self.inner = system, outer, inner
        self.url = f"http://127.0.0.1:{outer.port}"


@pytest.fixture(scope="module")
async def lines(create_database: CreateDatabase, redis_url: str) -> AsyncIterator[Lines]:
    async with CuttingProxy().running() as inner, CuttingProxy().running() as outer:
        system = running_stack(
            database_url=await create_database(),
            redis_url=redis_url,
            environment={"gateway": {"TASKS_URL": f"http://127.0.0.1:{inner.port}"}},
        )
        async with system as running:
            inner.target_port, outer.target_port = map(port_of, (running.tasks_url, running.url))
            yield Lines(running, outer, inner)


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


@pytest.fixture
async def alice(lines: Lines, connect: Connect) -> AsyncClient:
    return await connect(lines.url, lines.system.headers(f"alice-{secrets.token_hex(8)}"))


async def ask(client: AsyncClient, path: str, **headers: str) -> Response:
    body = {"title": "x"} if path == TASKS else {"tasks": [{"title": "x"}]}
    return await client.post(path, json=body, headers=headers)


async def rows(client: AsyncClient) -> int:
    return len((await client.get(TASKS)).raise_for_status().json()["items"])


@pytest.mark.spec("RETRY-6", "RETRY-1", "DATA-18")
@pytest.mark.parametrize("path", [TASKS, IMPORT])
async def test_an_answer_that_was_lost_is_had_by_asking_again_and_there_is_one_row(
    lines: Lines, alice: AsyncClient, path: str
) -> None:
    lines.outer.cut_next()
    with pytest.raises(httpx.TransportError):
        await ask(alice, path, **{"Idempotency-Key": "k"})
    async with asyncio.timeout(LIMIT):
        await lines.outer.cut.wait()

    again = await ask(alice, path, **{"Idempotency-Key": "k"})
    once_more = await ask(alice, path, **{"Idempotency-Key": "k"})

    assert again.status_code == (201 if path == TASKS else 200)
    assert again.content == once_more.content
    assert again.headers["x-sync-cursor"].endswith(".1")
    assert await rows(alice) == 1


@pytest.mark.spec("RETRY-6", "GW-9", "GW-12")
@pytest.mark.parametrize("key", [{"Idempotency-Key": "k"}, {}], ids=["with a key", "without"])
async def test_the_gateway_says_that_it_lost_the_answer_and_writes_nothing_twice(
    lines: Lines, alice: AsyncClient, key: dict[str, str]
) -> None:
    # So that there is a connection to use again.
    await alice.get(TASKS)
    lines.inner.cut_next()

    lost = await ask(alice, TASKS, **key)

    assert lines.inner.cut.is_set()
    assert lost.status_code in {502, 503, 504}
    assert await rows(alice) == 1
    assert (await ask(alice, TASKS, **key)).status_code == 201
    assert await rows(alice) == (1 if key else 2)
