import asyncpg
import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from devkit.pytest_plugin import CreateDatabase
from devkit.servers import Server


async def _answer(url: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        answer: int = await connection.fetchval("SELECT 42")
    finally:
        await connection.close()
    return answer


async def _tables(url: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        count: int = await connection.fetchval(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        )
        await connection.execute("CREATE TABLE seen ()")
    finally:
        await connection.close()
    return count


async def test_every_database_is_fresh(database_url: str, create_database: CreateDatabase) -> None:
    urls = [database_url, await create_database(), await create_database()]

    counts = [await _tables(url) for url in urls]

    assert counts == [0, 0, 0]


async def test_a_database_refuses_a_wrong_password(database_url: str) -> None:
    connection = asyncpg.connect(database_url, password="wrong")

    with pytest.raises(asyncpg.InvalidPasswordError):
        await connection


async def test_the_shared_redis_answers(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as redis:
        assert await redis.ping()


async def test_a_killed_postgres_comes_back_at_the_same_url(private_postgres: Server) -> None:
    await private_postgres.kill()
    with pytest.raises(ConnectionRefusedError):
        await _answer(private_postgres.url)

    await private_postgres.start()

    assert await _answer(private_postgres.url) == 42


async def test_a_stopped_redis_comes_back_at_the_same_url_and_empty(redis_server: Server) -> None:
    async with Redis.from_url(redis_server.url) as redis:
        await redis.set("key", "value")
        await redis_server.stop()
        with pytest.raises(RedisConnectionError):
            await redis.get("key")

        await redis_server.start()

        assert await redis.get("key") is None
