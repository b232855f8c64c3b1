"""What the gateway tells an orchestrator."""

from typing import TYPE_CHECKING

import pytest

from devkit.servers import Server

if TYPE_CHECKING:
    from gateway.tests.conftest import EchoUpstream, FakeVerifier, Gateway, MakeGateway


@pytest.mark.spec("GW-19")
async def test_a_gateway_whose_parts_all_answer_is_ready(gateway: "Gateway") -> None:
    response = await gateway.get("/readyz")

    assert (response.status_code, response.json()) == (200, {"status": "ok", "failing": []})


@pytest.mark.spec("GW-19")
async def test_each_part_that_is_down_is_named(
    gateway: "Gateway", upstream: "EchoUpstream", verifier: "FakeVerifier"
) -> None:
    upstream.ready = False
    await verifier.stop()

    response = await gateway.get("/readyz")

    assert response.status_code == 503
    assert response.json() == {"status": "unavailable", "failing": ["tasks", "auth-verifier"]}


@pytest.mark.spec("GW-19", "AUTH-22")
async def test_redis_alone_is_named_and_leaves_the_gateway_ready(
    make_gateway: "MakeGateway", redis_server: Server
) -> None:
    gateway = await make_gateway(redis_url=redis_server.url)
    await redis_server.stop()

    response = await gateway.get("/readyz")

    assert (response.status_code, response.json()) == (200, {"status": "ok", "failing": ["redis"]})


@pytest.mark.spec("GW-19")
async def test_a_gateway_with_nothing_behind_it_is_alive(
    gateway: "Gateway", upstream: "EchoUpstream", verifier: "FakeVerifier"
) -> None:
    await upstream.stop()
    await verifier.stop()

    response = await gateway.get("/healthz")

    assert (response.status_code, response.json()["status"]) == (200, "ok")
