"""Removing an account: its user's tokens go with it, and only then."""

import secrets
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

import pytest
from httpx import Response
from starlette.responses import Response as Answer
from starlette.responses import StreamingResponse

from devkit.servers import Server

if TYPE_CHECKING:
    from gateway.tests.conftest import Clock, EchoUpstream, Gateway, MakeGateway

ACCOUNT = "/api/v1/account"

MakeToken = Callable[..., str]


@pytest.fixture
def user() -> str:
    return f"ada-{secrets.token_hex(8)}"


async def remove(gateway: "Gateway", token: str, path: str = ACCOUNT) -> Response:
    headers = {"Authorization": f"Bearer {token}", "X-Confirm": "delete"}
    return await gateway.client.delete(path, headers=headers)


async def code_of(gateway: "Gateway", token: str) -> str:
    response = await gateway.me(token)
    return str(response.json().get("code", response.status_code))


@pytest.mark.spec("DATA-20", "DATA-21")
@pytest.mark.parametrize("path", [ACCOUNT, f"{ACCOUNT}/", "/api/v1/%61ccount"])
async def test_a_removed_account_takes_every_token_of_its_user_along(
    gateway: "Gateway",
    upstream: "EchoUpstream",
    make_token: MakeToken,
    user: str,
    clock: "Clock",
    path: str,
) -> None:
    upstream.answer = Answer(status_code=204)
    presented, other, stranger = make_token(user), make_token(user), make_token()
    later = make_token(user, issued_at=int(clock.now) + 1)

    answer = await remove(gateway, presented, path)

    assert (answer.status_code, answer.content) == (204, b"")
    assert upstream.header("x-confirm") == ["delete"]
    codes = [await code_of(gateway, token) for token in (presented, other, later, stranger)]
    assert codes == ["token_revoked", "token_revoked", "200", "200"]


@pytest.mark.spec("DATA-20")
@pytest.mark.parametrize("status", [428, 422, 500, 503])
async def test_a_removal_that_fails_revokes_nothing(
    gateway: "Gateway", upstream: "EchoUpstream", make_token: MakeToken, user: str, status: int
) -> None:
    upstream.answer = Answer(status_code=status)
    token = make_token(user)

    answer = await remove(gateway, token)

    assert answer.status_code == status
    assert await code_of(gateway, token) == "200"


@pytest.mark.spec("DATA-20")
async def test_nothing_else_revokes(
    gateway: "Gateway", upstream: "EchoUpstream", make_token: MakeToken, user: str
) -> None:
    token = make_token(user)

    await gateway.get(ACCOUNT, token)
    await remove(gateway, token, f"{ACCOUNT}/x")
    await remove(gateway, token, "/api/v1/trash")

    assert len(upstream.requests) == 3
    assert await code_of(gateway, token) == "200"


@pytest.mark.spec("DATA-20")
@pytest.mark.parametrize("long", [False, True])
async def test_a_removal_whose_revocation_is_not_kept_says_so_and_may_be_repeated(
    redis_server: Server,
    make_gateway: "MakeGateway",
    upstream: "EchoUpstream",
    make_token: MakeToken,
    user: str,
    long: bool,
) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"x" * 100_000
        yield b"y"

    gateway = await make_gateway(redis_url=redis_server.url)
    upstream.answer = StreamingResponse(body()) if long else Answer(status_code=204)
    token = make_token(user)
    await gateway.me(token)
    await redis_server.stop()

    failed = await remove(gateway, token)
    before = await code_of(gateway, token)
    await redis_server.start()
    upstream.answer = Answer(status_code=204)
    repeated = await remove(gateway, token)

    assert (failed.status_code, failed.json()["code"]) == (503, "auth_unavailable")
    assert "removed" in failed.json()["detail"]
    assert int(failed.headers["retry-after"]) > 0
    assert before == "200"
    assert repeated.status_code == 204
    assert await code_of(gateway, token) == "token_revoked"
