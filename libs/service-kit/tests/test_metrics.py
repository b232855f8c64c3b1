"""What is counted of the requests of any service."""

import re

import pytest
from httpx import ASGITransport, AsyncClient
from prometheus_client import generate_latest

from service_kit.api import ServiceApi
from service_kit.metrics import Metrics

NAME = "taskgate_http_requests_total"


@pytest.fixture
def metrics(api: ServiceApi) -> Metrics:
    metrics = Metrics()
    api.observers = [metrics]
    return metrics


def counted(metrics: Metrics) -> dict[str, float]:
    """Tell the counts of requests, by their labels as Prometheus sees them."""
    text = generate_latest(metrics.registry).decode()
    found = re.findall(rf"^{NAME}{{(.*)}} (\S+)$", text, re.MULTILINE)
    return {labels: float(value) for labels, value in found}


@pytest.mark.spec("OBS-3")
async def test_requests_are_counted_by_method_route_template_and_status(
    api: ServiceApi, metrics: Metrics, client: AsyncClient
) -> None:
    @api.get("/pots/{pot}")
    async def get_pot(pot: str) -> str:
        return pot

    for path in ("/pots/one", "/pots/two?colour=red", "/teapot", "/pots/one/lid"):
        await client.get(path)
    await client.request("BREW", "/pots/one")

    assert counted(metrics) == {
        'method="GET",route="/pots/{pot}",status="200"': 2,
        'method="GET",route="/teapot",status="418"': 1,
        'method="GET",route="unmatched",status="404"': 1,
        'method="other",route="/pots/{pot}",status="405"': 1,
    }


@pytest.mark.spec("OBS-3")
async def test_whatever_is_asked_for_the_series_stay_as_few(
    metrics: Metrics, client: AsyncClient
) -> None:
    for number in range(20):
        await client.request(f"BREW{number}", f"/nowhere/{number}")

    assert counted(metrics) == {'method="other",route="unmatched",status="404"': 20}


@pytest.mark.spec("OBS-3")
async def test_requests_under_way_and_durations_are_shown(
    api: ServiceApi, metrics: Metrics, client: AsyncClient
) -> None:
    seen: list[str] = []

    @api.get("/look")
    async def look() -> None:
        seen.append(generate_latest(metrics.registry).decode())

    await client.get("/look")

    after = generate_latest(metrics.registry).decode()
    assert "\ntaskgate_http_requests_in_flight 1.0\n" in seen[0]
    assert "\ntaskgate_http_requests_in_flight 0.0\n" in after
    labels = 'method="GET",route="/look"'
    assert f"taskgate_http_request_duration_seconds_count{{{labels}}} 1.0" in after


@pytest.mark.spec("OBS-3")
async def test_a_failure_nobody_foresaw_is_counted(api: ServiceApi, metrics: Metrics) -> None:
    transport = ASGITransport(api, raise_app_exceptions=False)
    async with AsyncClient(transport=transport, base_url="http://kettle") as client:
        await client.get("/broken")

    assert counted(metrics) == {'method="GET",route="/broken",status="500"': 1}
