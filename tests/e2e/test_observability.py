"""One request, seen by every service on its way."""

import asyncio
import json
import secrets
from typing import Any

import pytest
from httpx import AsyncClient

from devkit.stack import Stack

TASKS = "/api/v1/tasks"
LIMIT = 20
PARTS = ("gateway", "auth-verifier", "tasks")


async def lines_of(stack: Stack, part: str, request_id: str) -> list[dict[str, Any]]:
    """Return a part's lines on a request, once they are written."""
    async with asyncio.timeout(LIMIT):
        while True:
            lines = [
                json.loads(line) for line in stack.log(part).splitlines() if request_id in line
            ]
            if found := [line for line in lines if line.get("event") == "request"]:
                return found
            await asyncio.sleep(0.05)


@pytest.mark.spec("OBS-7", "OBS-10")
async def test_every_service_tells_of_a_request_by_one_id_and_one_trace(
    stack: Stack, alice: AsyncClient, alice_id: str
) -> None:
    request_id, trace_id = secrets.token_hex(16), secrets.token_hex(16)
    headers = {"X-Request-Id": request_id, "traceparent": f"00-{trace_id}-{'1' * 16}-00"}

    await alice.get(f"{TASKS}/{'0' * 8}-0000-0000-0000-{'0' * 12}", headers=headers)

    seen = {part: (await lines_of(stack, part, request_id))[0] for part in PARTS}
    assert {line["trace_id"] for line in seen.values()} == {trace_id}
    assert {line["user_id"] for line in seen.values()} == {alice_id}
    gateway, tasks = seen["gateway"], seen["tasks"]
    assert gateway["route"] == tasks["route"] == f"{TASKS}/{{task_id}}"
    assert gateway["status"] == tasks["status"] == 404
    assert gateway["bytes_out"] == tasks["bytes_out"] > 0
    assert gateway["verdict"] == "verifier"
    assert gateway["total_ms"] >= gateway["auth_ms"] + gateway["upstream_ms"]
    assert seen["auth-verifier"]["route"] == "/internal/v1/verify"


@pytest.mark.spec("OBS-8")
async def test_no_log_holds_what_a_client_sent(stack: Stack, alice: AsyncClient) -> None:
    hidden, request_id = f"hidden{secrets.token_hex(8)}", secrets.token_hex(16)
    token = alice.headers["authorization"].partition(" ")[2]

    await alice.get(
        f"{TASKS}/{hidden}?q={hidden}",
        headers={"X-Request-Id": request_id, "Cookie": f"better-auth.session_data={hidden}"},
    )

    await lines_of(stack, "gateway", request_id)
    for part in PARTS:
        said = stack.log(part)
        assert hidden not in said
        assert token not in said


@pytest.mark.spec("OBS-15")
async def test_the_network_tab_of_an_allowed_page_shows_where_the_time_went(
    alice: AsyncClient, anonymous: AsyncClient, frontend: str
) -> None:
    page = {"Origin": frontend}
    first, second = [await alice.get(TASKS, headers=page) for _ in range(2)]
    refused = await anonymous.get(TASKS, headers={"Origin": "https://elsewhere.test"})

    timing = second.headers["server-timing"]
    names = [part.strip().partition(";")[0] for part in timing.split(",")]
    assert names == ["total", "auth", "upstream", "cache"]
    assert "cache;desc=verifier" in first.headers["server-timing"]
    assert "cache;desc=memory" in timing
    assert second.headers["timing-allow-origin"] == frontend
    assert "timing-allow-origin" not in refused.headers
    assert "auth;dur=" in refused.headers["server-timing"]
