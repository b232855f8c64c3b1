import pytest
from httpx import AsyncClient

from service_kit.api import ServiceApi
from service_kit.health import set_readiness_checks


async def passes() -> None:
    return


async def fails() -> None:
    raise OSError("connection refused")


@pytest.mark.spec("GW-19")
async def test_health_needs_nothing(client: AsyncClient) -> None:
    assert (await client.get("/healthz")).json()["status"] == "ok"


@pytest.mark.spec("GW-19")
@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_a_monitor_may_ask_without_wanting_a_body(client: AsyncClient, path: str) -> None:
    assert (await client.head(path)).status_code == 200


@pytest.mark.spec("GW-19")
async def test_readiness_names_what_is_down(api: ServiceApi, client: AsyncClient) -> None:
    set_readiness_checks(api, {"database": fails, "redis": passes})

    response = await client.get("/readyz")

    assert response.status_code == 503
    assert response.json() == {"status": "unavailable", "failing": ["database"]}


@pytest.mark.spec("GW-19")
async def test_a_service_whose_parts_answer_is_ready(api: ServiceApi, client: AsyncClient) -> None:
    set_readiness_checks(api, {"database": passes})

    assert (await client.get("/readyz")).json() == {"status": "ok", "failing": []}


@pytest.mark.spec("GW-19")
async def test_a_service_stays_ready_without_an_optional_part_and_names_it(
    api: ServiceApi, client: AsyncClient
) -> None:
    set_readiness_checks(api, {"database": passes, "redis": fails}, optional=["redis"])

    response = await client.get("/readyz")

    assert response.status_code == 200
    assert response.json() == {"status": "ok", "failing": ["redis"]}


@pytest.mark.spec("GW-19")
async def test_a_service_is_not_ready_when_more_than_the_optional_is_down(
    api: ServiceApi, client: AsyncClient
) -> None:
    set_readiness_checks(api, {"database": fails, "redis": fails}, optional=["redis"])

    response = await client.get("/readyz")

    assert response.status_code == 503
    assert response.json() == {"status": "unavailable", "failing": ["database", "redis"]}
