"""Event streams through the gateway: as long as their token is good, and no longer."""

import asyncio
import json
import secrets
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from redis.asyncio import Redis
from starlette.responses import Response, StreamingResponse

from gateway_service import event_streams

if TYPE_CHECKING:
    from gateway.tests.conftest import EchoUpstream, FakeVerifier, Gateway, MakeGateway

EVENTS = "/api/v1/events"
PATIENCE = 20.0


class Source:
    """An upstream's stream: it says hello, then nothing until its reader has gone."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()
        self.response = StreamingResponse(self._events(), media_type="text/event-stream")

    async def _events(self) -> AsyncIterator[bytes]:
        try:
            yield b"event: hello\ndata: {}\n\n"
            await asyncio.Event().wait()
        finally:
            self.gone.set()


@pytest.fixture
def source(upstream: "EchoUpstream") -> Source:
    source = Source()
    upstream.answer = source.response
    return source


@pytest.fixture
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_streams, "PERIOD_SECONDS", 0.05)


@asynccontextmanager
async def streaming(gateway: "Gateway", token: str, path: str = EVENTS) -> AsyncIterator[Any]:
    """Open a stream and give what is left of it after its first event."""
    headers = {"Authorization": f"Bearer {token}", "X-Identity-End": "1"}
    async with asyncio.timeout(PATIENCE), gateway.client.stream("GET", path, headers=headers) as it:
        assert it.status_code == 200
        pieces = it.aiter_raw()
        assert await anext(pieces) == b"event: hello\ndata: {}\n\n"
        yield pieces


async def ends_properly(pieces: Any) -> bool:
    """Read to the end; an answer that is cut off raises."""
    return [piece async for piece in pieces] == []


@pytest.mark.spec("EVENT-7", "EVENT-9")
async def test_a_stream_passes_at_once_and_knows_when_its_token_ends(
    gateway: "Gateway", upstream: "EchoUpstream", source: Source, token: str, clock: Any
) -> None:
    async with streaming(gateway, token):
        assert upstream.header("x-identity-end") == [str(int(clock.now + 3600))]
        assert not source.gone.is_set()


@pytest.mark.spec("EVENT-10")
async def test_a_client_that_hangs_up_ends_its_stream_behind(
    gateway: "Gateway", source: Source, token: str
) -> None:
    async with streaming(gateway, token):
        pass

    async with asyncio.timeout(PATIENCE):
        await source.gone.wait()


@pytest.mark.spec("EVENT-7")
async def test_a_stream_ends_with_its_token(
    gateway: "Gateway", source: Source, make_token: Callable[..., str]
) -> None:
    async with streaming(gateway, make_token(lifetime=1.5)) as pieces:
        assert await ends_properly(pieces)
        await source.gone.wait()


@pytest.mark.spec("EVENT-7", "AUTH-43")
@pytest.mark.usefixtures("_hasty", "source")
@pytest.mark.parametrize("route", ["logout", "logout-all"])
async def test_a_logout_anywhere_ends_the_stream(
    make_gateway: "MakeGateway", make_token: Callable[..., str], route: str
) -> None:
    here, elsewhere = await make_gateway(), await make_gateway()
    # Of a user of this test's own: all their tokens end, in the Redis that every test shares.
    token = make_token(f"leaver-{secrets.token_hex(8)}")
    async with streaming(here, token) as pieces:
        headers = {"Authorization": f"Bearer {token}"}
        revoked = await elsewhere.client.post(f"/api/v1/auth/{route}", headers=headers)
        assert revoked.status_code == 204

        assert await ends_properly(pieces)


@pytest.mark.spec("EVENT-7", "AUTH-43")
@pytest.mark.usefixtures("_hasty", "source")
async def test_a_logout_of_which_no_message_came_ends_the_stream_too(
    make_gateway: "MakeGateway", token: str, redis_url: str, make_token: Callable[..., str]
) -> None:
    here, elsewhere = await make_gateway(), await make_gateway()
    other = make_token("bob")
    async with streaming(here, token) as pieces, Redis.from_url(redis_url) as redis:
        # What another user's logout wrote, as if it were this one's, and no message sent.
        await elsewhere.client.post(
            "/api/v1/auth/logout", headers={"Authorization": f"Bearer {other}"}
        )
        theirs, ours = (_token_key(each) for each in (other, token))
        entry = await redis.get(f"taskgate:revoked:token:{theirs}")
        assert isinstance(entry, bytes)
        value = entry.replace(theirs.encode(), ours.encode())
        await redis.set(f"taskgate:revoked:token:{ours}", value, ex=60)

        assert await ends_properly(pieces)


def _token_key(token: str) -> str:
    payload = token.split(".")[1]
    key: str = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["token_key"]
    return key


@pytest.mark.spec("EVENT-7", "AUTH-46")
@pytest.mark.usefixtures("_hasty", "source")
async def test_a_token_that_the_verifier_takes_back_ends_its_stream(
    make_gateway: "MakeGateway", verifier: "FakeVerifier", token: str
) -> None:
    gateway = await make_gateway(trust_period=0.05)
    async with streaming(gateway, token) as pieces:
        verifier.trust_version = "trust-2"
        verifier.refuse()

        assert await ends_properly(pieces)


@pytest.mark.spec("EVENT-7")
@pytest.mark.usefixtures("_hasty")
async def test_a_stream_goes_on_while_nobody_can_tell_and_when_the_token_is_good_still(
    make_gateway: "MakeGateway", verifier: "FakeVerifier", source: Source, token: str
) -> None:
    gateway = await make_gateway(trust_period=0.05)
    async with streaming(gateway, token):
        verifier.trust_version = "trust-2"
        for answer in (Response(status_code=503), None):
            verifier.answer = answer
            for _ in range(2 if answer else 1):
                verifier.was_asked.clear()
                await verifier.was_asked.wait()

        assert not source.gone.is_set()


@pytest.mark.spec("EVENT-7", "AUTH-45")
@pytest.mark.usefixtures("_hasty", "source")
async def test_streams_end_without_redis_where_the_unknown_are_refused(
    make_gateway: "MakeGateway", redis_server: Any, token: str
) -> None:
    gateway = await make_gateway(redis_url=redis_server.url, unknown_revocation="refuse")
    async with streaming(gateway, token) as pieces:
        await redis_server.kill()

        assert await ends_properly(pieces)


@pytest.mark.spec("EVENT-9")
@pytest.mark.usefixtures("source")
@pytest.mark.parametrize("path", [EVENTS, EVENTS + "/"])
async def test_streams_take_no_connection_from_other_requests(
    make_gateway: "MakeGateway", upstream: "EchoUpstream", token: str, path: str
) -> None:
    gateway = await make_gateway(event_streams=1)
    async with streaming(gateway, token, path):
        upstream.answer = None
        other = await gateway.get("/api/v1/tasks", token)

    assert other.status_code == 200


@pytest.mark.spec("EVENT-14")
@pytest.mark.parametrize("path", [EVENTS, EVENTS + "/"])
async def test_one_stream_too_many_is_refused_at_once_until_another_has_ended(
    make_gateway: "MakeGateway", upstream: "EchoUpstream", source: Source, token: str, path: str
) -> None:
    gateway = await make_gateway(event_streams=1, upstream_pool_wait=2 * PATIENCE)
    async with streaming(gateway, token):
        refused = await gateway.get(path, token)
    async with asyncio.timeout(PATIENCE):
        await source.gone.wait()
    upstream.answer = Source().response
    async with streaming(gateway, token):
        pass

    assert (refused.status_code, refused.json()["code"]) == (503, "streams_full")
    assert refused.headers["retry-after"] == "10"


@pytest.mark.spec("EVENT-9")
@pytest.mark.usefixtures("source")
async def test_no_limit_on_answers_cuts_a_silent_stream(
    make_gateway: "MakeGateway", upstream: "EchoUpstream", source: Source, token: str
) -> None:
    gateway = await make_gateway(upstream_answer_body=0.05)
    async with streaming(gateway, token):
        upstream.answer = StreamingResponse(_silent(), media_type="text/plain")
        with pytest.raises(httpx.RemoteProtocolError):
            await gateway.get("/api/v1/tasks", token)

        assert not source.gone.is_set()


async def _silent() -> AsyncIterator[bytes]:
    yield b"x"
    await asyncio.Event().wait()
