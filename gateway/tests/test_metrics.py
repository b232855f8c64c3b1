"""What the gateway counts, on a port that no client reaches."""

import re
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from starlette.responses import JSONResponse

from devkit.ports import free_port
from devkit.servers import Server
from gateway_service import redis_link
from gateway_service.main import create_app
from gateway_service.settings import Settings

if TYPE_CHECKING:
    from gateway.tests.conftest import Clock, EchoUpstream, Entries, FakeVerifier, MakeGateway

MEMORY_SECONDS = 5
POLICIES = ("user", "address", "failures")
Count = Callable[..., float]


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def count(port: int) -> Count:
    """Tell a number as Prometheus sees it; 0 if it is not there yet."""

    def read(name: str, **labels: str) -> float:
        text = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
        wanted = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
        line = re.escape(f"{name}{{{wanted}}}" if wanted else name)
        found = re.search(rf"^{line} (\S+)$", text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    return read


@pytest.mark.spec("AUTH-51")
async def test_looks_for_a_verdict_are_counted_by_layer_and_result(
    make_gateway: "MakeGateway",
    entries: "Entries",
    clock: "Clock",
    port: int,
    count: Count,
    token: str,
) -> None:
    gateway = await make_gateway(metrics_port=port)
    for _ in range(3):
        await gateway.me(token)
    clock.advance(MEMORY_SECONDS)
    await gateway.me(token)
    await entries.write(token, b"by hand")
    clock.advance(MEMORY_SECONDS)
    await gateway.me(token)

    name = "taskgate_verdict_cache_requests_total"
    layers = {
        (layer, result): count(name, layer=layer, result=result)
        for layer, result in (
            ("memory", "hit"),
            ("memory", "miss"),
            ("redis", "hit"),
            ("redis", "miss"),
            ("redis", "rejected"),
        )
    }
    assert list(layers.values()) == [2, 3, 1, 1, 1]


@pytest.mark.spec("AUTH-51")
async def test_a_redis_that_is_down_is_counted_as_an_error(
    make_gateway: "MakeGateway",
    redis_server: Server,
    port: int,
    count: Count,
    token: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(redis_link, "PAUSE_SECONDS", 0.0)
    gateway = await make_gateway(metrics_port=port, redis_url=redis_server.url)
    await redis_server.stop()

    await gateway.me(token)

    assert count("taskgate_verdict_cache_requests_total", layer="redis", result="error") == 1


@pytest.mark.spec("AUTH-47", "AUTH-51")
async def test_the_entries_in_process_are_shown_and_never_more_than_the_limit(
    make_gateway: "MakeGateway", port: int, count: Count, make_token: Callable[..., str]
) -> None:
    gateway = await make_gateway(metrics_port=port, verdict_memory_entries=10)

    numbers = []
    for _ in range(25):
        await gateway.me(make_token())
        numbers.append(count("taskgate_verdict_cache_entries"))

    assert numbers == [*range(1, 11), *[10] * 15]


@pytest.mark.spec("AUTH-51")
async def test_refusals_are_counted_by_reason(
    make_gateway: "MakeGateway", verifier: "FakeVerifier", port: int, count: Count, token: str
) -> None:
    gateway = await make_gateway(metrics_port=port)
    cookie = {"Cookie": f"better-auth.session_data={token}"}
    await gateway.get("/api/v1/tasks")
    await gateway.get("/api/v1/tasks", "opaque")
    await gateway.client.post("/api/v1/tasks", headers=cookie)
    verifier.refuse()
    await gateway.me(token)
    await gateway.me(token)

    reasons = ("missing", "malformed", "origin", "signature")
    assert [count("taskgate_auth_refusals_total", reason=reason) for reason in reasons] == [
        *(1, 1, 1, 2)
    ]


@pytest.mark.spec("OBS-20")
async def test_what_is_too_much_is_counted_by_the_limit_that_was_used_up(
    make_gateway: "MakeGateway",
    verifier: "FakeVerifier",
    port: int,
    count: Count,
    make_token: Callable[..., str],
) -> None:
    limits = {f"rate_limit_{name}": 1 for name in POLICIES}
    gateway = await make_gateway(metrics_port=port, trusted_proxies="127.0.0.1", **limits)
    # Nobody's address and nobody's id but this test's.
    unique = secrets.token_hex(2)
    whence = {"X-Forwarded-For": f"2001:db8:{unique}::1"}
    before = [count("taskgate_rate_limited_total", policy=name) for name in POLICIES]

    for _ in range(4):
        await gateway.get("/api/v1/tasks", make_token(unique), headers=whence)
    for _ in range(3):
        await gateway.get("/api/v1/tasks", headers=whence)
    verifier.refuse()
    for _ in range(2):
        await gateway.get("/api/v1/tasks", make_token(), headers=whence)

    after = [count("taskgate_rate_limited_total", policy=name) for name in POLICIES]
    assert (before, after) == ([0, 0, 0], [3, 2, 1])


@pytest.mark.spec("AUTH-51", "GW-18")
async def test_the_public_port_shows_no_metrics(
    make_gateway: "MakeGateway", port: int, token: str
) -> None:
    gateway = await make_gateway(metrics_port=port)

    response = await gateway.get("/metrics", token)

    assert (response.status_code, response.json()["code"]) == (404, "not_found")


@pytest.mark.spec("AUTH-51")
async def test_a_taken_port_stops_the_start_with_one_line(
    make_gateway: "MakeGateway", identity_key: str
) -> None:
    taken = (await make_gateway()).port
    settings: dict[str, Any] = {
        "tasks_url": "http://tasks:8000",
        "auth_verifier_url": "http://auth-verifier:8000",
        "redis_url": "redis://redis:6379/0",
        "identity_key": identity_key,
        "metrics_port": taken,
    }
    said: list[Any] = []

    async def receive() -> dict[str, str]:
        return {"type": "lifespan.startup"}

    async def send(message: Any) -> None:
        said.append(message)

    await create_app(Settings(**settings))({"type": "lifespan", "state": {}}, receive, send)

    (message,) = said
    assert message["type"] == "lifespan.startup.failed"
    assert f"METRICS_PORT {taken}" in message["message"]
    assert "\n" not in message["message"]


@pytest.mark.spec("OBS-3")
async def test_forwarded_requests_are_counted_by_the_route_that_the_service_behind_names(
    make_gateway: "MakeGateway", upstream: "EchoUpstream", port: int, count: Count, token: str
) -> None:
    gateway = await make_gateway(metrics_port=port)
    named = {"x-taskgate-route": "/api/v1/tasks/{task_id}"}
    upstream.answer = JSONResponse({}, headers=named)

    answer = await gateway.get("/api/v1/tasks/one?q=secret", token)
    upstream.answer = None
    await gateway.get("/api/v1/nowhere", token)
    await gateway.get("/api/v1/tasks/one")
    await gateway.me(token)

    counts = [
        count("taskgate_http_requests_total", method="GET", route=route, status=status)
        for route, status in (
            ("/api/v1/tasks/{task_id}", "200"),
            ("/api/{path}", "200"),
            ("/api/{path}", "401"),
            ("/api/v1/me", "200"),
        )
    ]
    assert counts == [1, 1, 1, 1]
    assert "x-taskgate-route" not in answer.headers


@pytest.mark.spec("OBS-4")
async def test_services_behind_are_timed_and_their_failures_counted(
    make_gateway: "MakeGateway",
    upstream: "EchoUpstream",
    verifier: "FakeVerifier",
    port: int,
    count: Count,
    make_token: Callable[..., str],
) -> None:
    gateway = await make_gateway(metrics_port=port)
    known = make_token()
    await gateway.get("/api/v1/tasks", known)
    await upstream.stop()
    await verifier.stop()
    await gateway.get("/api/v1/tasks", known)
    await gateway.get("/api/v1/tasks", make_token())

    waits = [
        count("taskgate_upstream_wait_seconds_count", upstream=name)
        for name in ("tasks", "auth-verifier")
    ]
    failures = [
        count("taskgate_upstream_failures_total", upstream=name, code=code)
        for name, code in (("tasks", "upstream_unavailable"), ("auth-verifier", "auth_unavailable"))
    ]
    assert waits == [1, 2]
    assert failures == [1, 1]
    assert count("taskgate_upstream_requests_in_flight") == 0
