"""What the verifier counts on a port of its own, and what it names when it has no keys."""

from typing import Any

import httpx
import pytest

from devkit.ports import free_port


async def shown(port: int) -> str:
    async with httpx.AsyncClient(trust_env=False) as client:
        return (await client.get(f"http://127.0.0.1:{port}/metrics")).text


@pytest.mark.spec("OBS-1", "OBS-4")
async def test_verdicts_and_fetches_of_keys_are_counted(start: Any, token: Any) -> None:
    port = free_port()
    verify = await start(metrics_port=port)

    await verify(token("EdDSA"))
    await verify(token(exp=1))
    await verify("a.b.c")

    text = await shown(port)
    for result in ("good", "expired", "malformed"):
        assert f'taskgate_verdicts_total{{result="{result}"}} 1.0' in text
    assert 'taskgate_key_fetches_total{issuer="better-auth",result="fetched"} 1.0' in text
    labels = 'method="POST",route="/internal/v1/verify",status="401"'
    assert f"taskgate_http_requests_total{{{labels}}} 2.0" in text


@pytest.mark.spec("OBS-4", "OBS-5")
async def test_an_issuer_without_keys_is_named_and_the_verifier_stays_ready(
    start: Any, issuer: Any, token: Any
) -> None:
    issuer.answer = b""
    port = free_port()
    verify = await start(metrics_port=port)
    await verify(token("EdDSA"))

    ready = await verify._client.get("/readyz")

    assert ready.status_code == 200
    assert ready.json() == {"status": "ok", "failing": ["better-auth"]}
    text = await shown(port)
    assert 'taskgate_key_fetches_total{issuer="better-auth",result="failed"} 1.0' in text
    assert 'taskgate_verdicts_total{result="unavailable"} 1.0' in text
