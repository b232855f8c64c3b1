"""Which pages may call the gateway, and what they can read of its answers."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from gateway.tests.conftest import EchoUpstream, FakeVerifier, Gateway, MakeGateway

TASKS = "/api/v1/tasks"
ORIGIN = "https://app.example.com"
OTHERS = [
    "https://evil.example",
    "http://app.example.com",
    "https://app.example.com:8443",
    "https://app.example.com.evil.example",
    "https://sub.app.example.com",
    "https://APP.example.com",
    "null",
    "*",
]


def preflight(origin: str, method: str = "PATCH") -> dict[str, str]:
    return {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization,content-type,if-match,idempotency-key",
    }


@pytest.mark.spec("GW-15")
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
async def test_a_listed_page_may_ask_without_a_token(
    gateway: "Gateway", upstream: "EchoUpstream", verifier: "FakeVerifier", method: str
) -> None:
    response = await gateway.client.options(TASKS, headers=preflight(ORIGIN, method))

    headers = response.headers
    assert response.status_code == 200
    assert headers["access-control-allow-origin"] == ORIGIN
    assert headers["access-control-allow-credentials"] == "true"
    assert method in headers["access-control-allow-methods"].split(", ")
    assert "if-match" in headers["access-control-allow-headers"]
    assert "Origin" in headers["vary"]
    assert (upstream.requests, verifier.asked) == ([], [])


@pytest.mark.spec("GW-15")
@pytest.mark.parametrize("origin", OTHERS)
async def test_any_other_page_is_refused(gateway: "Gateway", origin: str) -> None:
    response = await gateway.client.options(TASKS, headers=preflight(origin))

    assert (response.status_code, response.json()["code"]) == (403, "origin_forbidden")
    assert "CORS_ORIGINS" in response.json()["detail"]
    assert response.json()["request_id"] == response.headers["x-request-id"]
    assert "access-control-allow-origin" not in response.headers


@pytest.mark.spec("GW-15")
async def test_a_method_nobody_takes_is_refused(gateway: "Gateway") -> None:
    response = await gateway.client.options(TASKS, headers=preflight(ORIGIN, "PROPFIND"))

    assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")
    assert "PATCH" in response.headers["allow"]


@pytest.mark.spec("GW-15")
async def test_a_listed_page_can_read_answers_and_the_headers_it_needs(
    gateway: "Gateway", token: str
) -> None:
    response = await gateway.get(TASKS, token, headers={"Origin": ORIGIN})

    exposed = response.headers["access-control-expose-headers"].split(", ")
    assert response.headers["access-control-allow-origin"] == ORIGIN
    assert response.headers["access-control-allow-credentials"] == "true"
    assert set(exposed) == {
        *("Content-Disposition", "ETag", "Location", "RateLimit", "RateLimit-Policy"),
        *("Retry-After", "X-Request-Id", "X-Sync-Cursor"),
    }


@pytest.mark.spec("GW-15")
@pytest.mark.parametrize("path", [TASKS, "/nowhere"])
async def test_a_listed_page_can_read_errors(gateway: "Gateway", path: str) -> None:
    response = await gateway.get(path, headers={"Origin": ORIGIN})

    assert response.status_code in {401, 404}
    assert response.headers["access-control-allow-origin"] == ORIGIN


@pytest.mark.spec("GW-15")
@pytest.mark.parametrize("origin", OTHERS)
async def test_any_other_page_can_read_nothing(gateway: "Gateway", token: str, origin: str) -> None:
    response = await gateway.get(TASKS, token, headers={"Origin": origin})

    assert "access-control-allow-origin" not in response.headers
    assert "Origin" in response.headers["vary"]


@pytest.mark.spec("GW-15")
async def test_several_origins_may_be_listed_and_each_is_answered_alone(
    make_gateway: "MakeGateway",
) -> None:
    origins = ["http://localhost:3000", "capacitor://localhost", "http://[::1]:5173"]
    gateway = await make_gateway(cors_origins=",".join(origins))

    responses = [await gateway.get("/healthz", headers={"Origin": each}) for each in origins]

    allowed = [response.headers["access-control-allow-origin"] for response in responses]
    assert allowed == origins


@pytest.mark.spec("GW-15")
async def test_without_the_setting_no_page_is_allowed(make_gateway: "MakeGateway") -> None:
    gateway = await make_gateway(cors_origins=())

    response = await gateway.client.options(TASKS, headers=preflight(ORIGIN))

    assert response.status_code == 403
