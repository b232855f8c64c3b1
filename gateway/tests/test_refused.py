"""What the edge refuses is an answer of the gateway like every other."""

import asyncio
from typing import TYPE_CHECKING

import httpx
import pytest

from devkit.ports import free_port

if TYPE_CHECKING:
    from gateway.tests.conftest import Gateway, MakeGateway

ORIGIN = "https://app.example.com"
TOO_MANY_COOKIES = {"Cookie": f"a={'x' * 40_000}"}


@pytest.mark.spec("EDGE-8", "GW-15", "WEB-1", "WEB-2")
async def test_a_page_reads_why_its_cookies_are_too_many(gateway: "Gateway") -> None:
    page = {"Origin": ORIGIN, **TOO_MANY_COOKIES}

    answer = await gateway.get("/api/v1/tasks", headers=page)

    assert (answer.status_code, answer.json()["code"]) == (431, "headers_too_large")
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert "X-Request-Id" in answer.headers["access-control-expose-headers"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


@pytest.mark.spec("EDGE-8", "GW-15")
async def test_a_page_of_another_origin_reads_nothing(gateway: "Gateway") -> None:
    page = {"Origin": "https://evil.example", **TOO_MANY_COOKIES}

    answer = await gateway.get("/api/v1/tasks", headers=page)

    assert answer.status_code == 431
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.spec("EDGE-8")
async def test_a_preflight_that_is_refused_lets_no_page_in(gateway: "Gateway") -> None:
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST", **TOO_MANY_COOKIES}

    answer = await gateway.client.options("/api/v1/tasks", headers=asked)

    assert (answer.status_code, answer.json()["code"]) == (431, "headers_too_large")


@pytest.mark.spec("EDGE-8", "OBS-3", "OBS-7")
async def test_a_refusal_is_counted_and_has_its_line(
    make_gateway: "MakeGateway", capfd: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    gateway = await make_gateway(metrics_port=port)

    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(b"NONSENSE\r\n\r\n")
    await reader.read()
    writer.close()
    async with httpx.AsyncClient(trust_env=False) as client:
        metrics = (await client.get(f"http://127.0.0.1:{port}/metrics")).text
    await gateway.stop()

    counted = 'taskgate_http_requests_total{method="other",route="unmatched",status="400"} 1.0'
    assert counted in metrics
    (line,) = [line for line in capfd.readouterr().out.splitlines() if '"event":"request"' in line]
    assert '"status":400,"outcome":"answered"' in line
