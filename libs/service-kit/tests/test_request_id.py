import pytest
from httpx import AsyncClient


@pytest.mark.spec("GW-14")
async def test_a_sane_request_id_is_kept(client: AsyncClient) -> None:
    response = await client.get("/healthz", headers={"X-Request-Id": "a1.B_2:c-" + "x" * 119})

    assert response.headers["x-request-id"] == "a1.B_2:c-" + "x" * 119


@pytest.mark.spec("GW-14")
@pytest.mark.parametrize("offered", ["", "x" * 129, "a b", "a\tb", "é", '"', "<script>"])
async def test_another_request_id_is_replaced(client: AsyncClient, offered: str) -> None:
    response = await client.get("/healthz", headers=[(b"X-Request-Id", offered.encode())])

    assert len(response.headers["x-request-id"]) == 32
    assert response.headers["x-request-id"] != offered


@pytest.mark.spec("GW-14")
async def test_every_request_gets_its_own_id(client: AsyncClient) -> None:
    ids = {(await client.get("/healthz")).headers["x-request-id"] for _ in range(3)}

    assert len(ids) == 3
