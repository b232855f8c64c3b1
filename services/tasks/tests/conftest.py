import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient, Response
from pydantic import SecretStr

from devkit.declared import Declared
from service_kit.identity import sign_identity
from tasks_service.main import build_api, create_app
from tasks_service.migrate import upgrade
from tasks_service.settings import TasksSettings

KEY = secrets.token_hex(32)
NewUser = Callable[..., AsyncClient]


@pytest.fixture(scope="session")
async def settings(create_database: Callable[[], Awaitable[str]], redis_url: str) -> TasksSettings:
    """Give the settings of a service on a migrated database."""
    url = SecretStr(await create_database())
    settings = TasksSettings(
        database_url=url, identity_key=(SecretStr(KEY),), redis_url=SecretStr(redis_url)
    )
    await upgrade(settings.sqlalchemy_url)
    return settings


@pytest.fixture(scope="session")
async def app(settings: TasksSettings) -> AsyncIterator[FastAPI]:
    app = create_app(settings)
    # Nothing here is refused because the machine is busy.
    app.state.at_once = None
    async with app.router.lifespan_context(app):
        yield app


_declared = Declared(build_api().openapi())


async def _check(response: Response) -> None:
    """Object to an answer that its operation does not declare."""
    await response.aread()
    kind = response.headers.get("content-type", "")
    code = response.json()["code"] if kind == "application/problem+json" else None
    method, path = response.request.method, response.request.url.path
    headers = response.headers.keys()
    assert not _declared.objection(method, path, response.status_code, code, headers)


def client_of(app: FastAPI, headers: dict[str, str]) -> AsyncClient:
    # A failure nobody foresaw is raised in the test itself.
    transport, hooks = ASGITransport(app), {"response": [_check]}
    return AsyncClient(
        transport=transport, base_url="http://tasks", headers=headers, event_hooks=hooks
    )


@pytest.fixture(scope="session")
def user_of() -> Callable[[FastAPI, str], AsyncClient]:
    """Give what makes a client of an app that speaks for a user, as the gateway would."""

    def user_of(app: FastAPI, user_id: str) -> AsyncClient:
        signed = sign_identity(
            user_id, key=KEY.encode(), audience="tasks", expires_at=int(time.time()) + 3600
        )
        return client_of(app, signed)

    return user_of


@pytest.fixture
def new_user(app: FastAPI, user_of: Callable[[FastAPI, str], AsyncClient]) -> NewUser:
    def new_user(user_id: str = "") -> AsyncClient:
        return user_of(app, user_id or f"user-{secrets.token_hex(8)}")

    return new_user


@pytest.fixture
def anonymous(app: FastAPI) -> AsyncClient:
    return client_of(app, {})


@pytest.fixture
def alice(new_user: NewUser) -> AsyncClient:
    """Give a client that speaks for a user of this test's own."""
    return new_user()


@pytest.fixture
def mallory(new_user: NewUser) -> AsyncClient:
    """Give a client that speaks for somebody else."""
    return new_user()
