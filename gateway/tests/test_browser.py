"""What every answer tells a browser."""

from typing import TYPE_CHECKING

import httpx
import pytest
from starlette.responses import Response

if TYPE_CHECKING:
    from gateway.tests.conftest import EchoUpstream, Gateway, MakeGateway

ORIGIN = "https://app.example.com"
HARDENED = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}
PREFLIGHT = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}


async def answers(gateway: "Gateway", token: str) -> list[httpx.Response]:
    """One of each kind: forwarded, our own, refused, pages, files, health, preflights."""
    paths = ("/healthz", "/docs", "/docs/errors", "/docs/assets/errors.css", "/nowhere")
    return [
        await gateway.get("/api/v1/tasks", token, headers={"Origin": ORIGIN}),
        await gateway.me(token),
        await gateway.get("/api/v1/tasks"),
        *[await gateway.get(path) for path in paths],
        await gateway.client.options("/api/v1/tasks", headers=PREFLIGHT),
        await gateway.client.options("/api/v1/tasks", headers={**PREFLIGHT, "Origin": "https://x"}),
    ]


@pytest.mark.spec("WEB-1", "WEB-3")
async def test_every_answer_says_each_of_it_once(gateway: "Gateway", token: str) -> None:
    for answer in await answers(gateway, token):
        told = {name: answer.headers.get_list(name) for name in HARDENED}

        assert told == {name: [value] for name, value in HARDENED.items()}, answer.request.url
        assert "strict-transport-security" not in answer.headers


@pytest.mark.spec("WEB-2")
async def test_no_answer_may_be_framed_and_data_loads_nothing(
    gateway: "Gateway", token: str
) -> None:
    for answer in await answers(gateway, token):
        policies = answer.headers.get_list("content-security-policy")

        assert len(policies) == 1, answer.request.url
        assert "default-src 'none'" in policies[0]
        assert "frame-ancestors 'none'" in policies[0]
        is_page = answer.headers.get("content-type", "").startswith("text/html")
        assert ("script-src" in policies[0]) == is_page


@pytest.mark.spec("WEB-2")
async def test_data_from_behind_brings_no_policy_of_its_own(
    gateway: "Gateway", upstream: "EchoUpstream", token: str
) -> None:
    upstream.answer = Response("<script>", media_type="text/html")

    answer = await gateway.get("/api/v1/tasks", token)

    policy = answer.headers["content-security-policy"]
    assert policy == "default-src 'none'; frame-ancestors 'none'"


@pytest.mark.spec("WEB-3")
async def test_browsers_are_held_to_https_where_that_is_asked_for(
    make_gateway: "MakeGateway", token: str
) -> None:
    gateway = await make_gateway(hsts_max_age=31_536_000)

    for answer in await answers(gateway, token):
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
