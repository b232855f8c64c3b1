import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from pydantic import SecretStr
from sqlalchemy import Connection, Table, inspect, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from tasks_service import schema_version
from tasks_service.migrate import downgrade, upgrade, write_migration
from tasks_service.models import metadata
from tasks_service.settings import DatabaseSettings


async def look(settings: DatabaseSettings, question: Any) -> Any:
    engine = create_async_engine(settings.sqlalchemy_url, poolclass=NullPool)
    async with engine.connect() as connection:
        return await connection.run_sync(question)


def tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names())


def differences(connection: Connection) -> Any:
    options = {"compare_type": True, "compare_server_default": True}
    return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)


@pytest.mark.spec("TASK-22")
async def test_the_migrations_lead_to_the_models_exactly_and_back(database_url: str) -> None:
    settings = DatabaseSettings(database_url=SecretStr(database_url))
    url = settings.sqlalchemy_url

    await upgrade(url)
    assert await look(settings, tables) == {"alembic_version", *metadata.tables}
    assert await look(settings, differences) == []
    await downgrade(url, "base")
    assert await look(settings, tables) == {"alembic_version"}
    await upgrade(url)
    assert await look(settings, differences) == []


@pytest.mark.spec("TASK-22")
async def test_any_number_of_migrations_may_run_at_once(database_url: str) -> None:
    settings = DatabaseSettings(database_url=SecretStr(database_url))

    async with asyncio.timeout(60):
        await asyncio.gather(*(upgrade(settings.sqlalchemy_url) for _ in range(4)))

    assert await look(settings, differences) == []


@pytest.mark.spec("TASK-22")
async def test_the_tables_refuse_what_no_task_may_be(settings: DatabaseSettings) -> None:
    checks = {
        constraint.name for table in metadata.tables.values() for constraint in table.constraints
    }

    def stored(connection: Connection) -> set[str | None]:
        return {
            found["name"]
            for table in metadata.tables
            for found in inspect(connection).get_check_constraints(table)
        }

    found = await look(settings, stored)

    assert len(found) == 17
    assert found <= checks


async def test_the_next_migration_is_written_from_the_models(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrations = tmp_path / "migrations"
    shutil.copytree(schema_version._MIGRATIONS, migrations)
    monkeypatch.setattr(schema_version, "_MIGRATIONS", migrations)
    url = DatabaseSettings(database_url=SecretStr(database_url)).sqlalchemy_url
    await upgrade(url)
    following = f"{int(schema_version.expected_revision()) + 1:04}"

    await write_migration(url, "Change nothing")

    assert schema_version.expected_revision() == following
    assert (migrations / "versions" / f"{following}_change_nothing.py").exists()
    await upgrade(url)


def leads_to_account(table: Table) -> bool:
    return table.name == "account" or any(
        leads_to_account(key.referred_table)
        for key in table.foreign_key_constraints
        if key.referred_table is not table
    )


@pytest.mark.spec("TASK-21")
def test_every_tables_key_starts_with_the_user_and_leads_to_the_account() -> None:
    for table in metadata.tables.values():
        assert next(iter(table.primary_key.columns)).name == "user_id"
        assert {"created_at", "updated_at"} <= set(table.columns.keys())
        for key in table.foreign_key_constraints:
            assert key.ondelete == "CASCADE"
            assert (key.column_keys[0], key.elements[0].column.name) == ("user_id", "user_id")
        assert leads_to_account(table)


@pytest.mark.spec("TASK-21")
async def test_deleting_an_account_removes_its_tasks_only(
    settings: DatabaseSettings, alice: Any, mallory: Any
) -> None:
    for user in (alice, mallory):
        in_list = (await user.post("/api/v1/lists", json={"name": "x"})).json()["id"]
        await user.post("/api/v1/tasks", json={"title": "x", "list_id": in_list, "tags": ["a"]})

    def delete(connection: Connection) -> None:
        statement = text("DELETE FROM account WHERE user_id = :user")
        connection.execute(statement, {"user": alice.headers["x-user-id"]})
        connection.commit()

    await look(settings, delete)

    assert (await alice.get("/api/tasks")).json() == []
    assert (await alice.get("/api/v1/lists")).json()["items"] == []
    assert (await alice.get("/api/v1/tags")).json()["items"] == []
    assert len((await mallory.get("/api/tasks")).json()) == 1


@pytest.mark.spec("TAG-6", "TASK-22", "TASK-26")
async def test_tasks_of_the_releases_before_get_their_order_and_tags(database_url: str) -> None:
    settings = DatabaseSettings(database_url=SecretStr(database_url))
    url = settings.sqlalchemy_url
    await upgrade(url, "0001")

    def write(connection: Connection) -> None:
        connection.execute(text("INSERT INTO account VALUES ('a', 3, now(), now())"))
        connection.execute(
            text(
                "INSERT INTO task (user_id, id, title, priority, tags, tag_keys, version,"
                " created_at, updated_at) SELECT 'a', gen_random_uuid(), 'x', 0, ARRAY['T', n],"
                " ARRAY['t', n], 1, now() + n::int * interval '1 s', now()"
                " FROM unnest('{3,1,2}'::text[]) n"
            )
        )
        connection.commit()

    await look(settings, write)
    await upgrade(url)

    def read(connection: Connection) -> Any:
        tagged = text("SELECT name, count(*) FROM task_tag JOIN tag ON id = tag_id GROUP BY name")
        order = text("SELECT tags[2] FROM task ORDER BY position")
        return dict(connection.execute(tagged).all()), connection.scalars(order).all()

    assert await look(settings, read) == ({"T": 3, "1": 1, "2": 1, "3": 1}, ["1", "2", "3"])
