from collections.abc import AsyncIterator
from typing import Annotated, ClassVar

import pytest
from fastapi import Body, Query
from httpx import ASGITransport, AsyncClient
from pydantic import BaseModel

from service_kit.api import ServiceApi
from service_kit.errors import ServiceError, problem


class TeapotError(ServiceError):
    status: ClassVar[int] = 418
    code: ClassVar[str] = "teapot"
    title: ClassVar[str] = "Teapot"


class Pot(BaseModel):
    litres: int


@pytest.fixture
def api() -> ServiceApi:
    """Build a small service with one route for each way to answer."""
    app = ServiceApi(title="kettle", description="For the tests of the kit.")

    @app.get("/teapot", responses=problem(TeapotError))
    async def get_teapot() -> None:
        raise TeapotError("Short and stout.", headers={"X-Spout": "yes"})

    @app.get("/broken")
    async def get_broken() -> None:
        raise RuntimeError("a secret inside")

    @app.post("/pots")
    async def create_pot(pot: Annotated[Pot, Body()], size: Annotated[int, Query()] = 1) -> Pot:
        return Pot(litres=pot.litres * size)

    @app.get("/pots")
    async def list_pots(colour: Annotated[str | None, Query()] = None) -> list[Pot]:
        return [Pot(litres=len(colour or ""))]

    return app


@pytest.fixture
async def client(api: ServiceApi) -> AsyncIterator[AsyncClient]:
    transport = ASGITransport(api, raise_app_exceptions=False)
    async with AsyncClient(transport=transport, base_url="http://kettle") as client:
        yield client
