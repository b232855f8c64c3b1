"""Logging out: in force here at once, elsewhere in seconds, and for nobody else."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from httpx import Response
from redis.asyncio import Redis

from devkit.servers import Server
from gateway_service import redis_link

if TYPE_CHECKING:
    from gateway.tests.conftest import Clock, FakeVerifier, Gateway, MakeGateway

PATIENCE = 20.0
MEMORY_SECONDS = 5
CHANNEL = "taskgate:revoked"
LOGOUT, LOGOUT_ALL = "/api/v1/auth/logout", "/api/v1/auth/logout-all"
EIGHT_DAYS = 8 * 24 * 60 * 60

MakeToken = Callable[..., str]


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def user() -> str:
    """Name a user of the test's own: who logs out everywhere does so in every test."""
    return f"ada-{secrets.token_hex(8)}@example.com"


@pytest.fixture
def token(make_token: MakeToken, user: str) -> str:
    return make_token(user)


@pytest.fixture
def without_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_link, "PAUSE_SECONDS", 0.0)


async def post(gateway: "Gateway", path: str, token: str) -> Response:
    return await gateway.client.post(path, headers={"Authorization": f"Bearer {token}"})


async def codes(*answers: Awaitable[Response]) -> list[str]:
    """Return the error code of each answer, or 200."""
    responses = [await answer for answer in answers]
    return [r.json().get("code", str(r.status_code)) if r.content else "204" for r in responses]


async def refused_by_message(gateway: "Gateway", token: str) -> None:
    """Wait until a token is refused, while no clock goes on: a message alone can do that."""
    async with asyncio.timeout(PATIENCE):
        while (await gateway.me(token)).status_code == 200:
            pass


async def all_listen(url: str, number: int) -> None:
    async with Redis.from_url(url) as client, asyncio.timeout(PATIENCE):
        while dict(await client.pubsub_numsub(CHANNEL))[CHANNEL.encode()] < number:
            pass


@pytest.mark.spec("AUTH-41", "AUTH-43")
@pytest.mark.parametrize("path", [LOGOUT, LOGOUT_ALL])
async def test_a_token_that_logs_out_is_refused_from_then_on(
    gateway: "Gateway", token: str, path: str
) -> None:
    before = await gateway.me(token)
    answer = await post(gateway, path, token)
    after = [await gateway.me(token), await post(gateway, path, token)]

    assert (before.status_code, answer.status_code, answer.content) == (200, 204, b"")
    assert [response.status_code for response in after] == [401, 401]
    assert {response.json()["code"] for response in after} == {"token_revoked"}
    assert after[0].headers["www-authenticate"] == 'Bearer error="invalid_token"'


@pytest.mark.spec("AUTH-41")
async def test_another_text_of_the_same_token_is_refused_too(
    gateway: "Gateway", make_token: MakeToken
) -> None:
    key = secrets.token_hex(32)
    await post(gateway, LOGOUT, make_token(token_key=key))

    assert await codes(gateway.me(make_token(token_key=key))) == ["token_revoked"]


@pytest.mark.spec("AUTH-41")
async def test_logging_out_leaves_the_users_other_tokens_alone(
    gateway: "Gateway", make_token: MakeToken
) -> None:
    await post(gateway, LOGOUT, make_token())

    assert (await gateway.me(make_token())).status_code == 200


@pytest.mark.spec("AUTH-42")
@pytest.mark.parametrize(
    ("issued", "code"), [(-3600, "token_revoked"), (0, "token_revoked"), (1, "200")]
)
async def test_logging_out_everywhere_revokes_what_was_issued_up_to_then(
    gateway: "Gateway", make_token: MakeToken, user: str, clock: "Clock", issued: int, code: str
) -> None:
    other = make_token(user, issued_at=int(clock.now) + issued)
    await gateway.me(other)
    await post(gateway, LOGOUT_ALL, make_token(user, issued_at=int(clock.now) - 60))

    response = await gateway.me(other)

    assert (response.json().get("code") or str(response.status_code)) == code


@pytest.mark.spec("AUTH-42")
async def test_a_token_that_does_not_say_when_it_was_issued_counts_as_issued_before(
    gateway: "Gateway", make_token: MakeToken, user: str, token: str
) -> None:
    await post(gateway, LOGOUT_ALL, token)

    assert await codes(gateway.me(make_token(user, issued_at=None))) == ["token_revoked"]


@pytest.mark.spec("AUTH-42")
async def test_the_presented_token_is_revoked_though_its_issuers_clock_is_ahead(
    gateway: "Gateway", make_token: MakeToken, user: str, clock: "Clock"
) -> None:
    ahead = make_token(user, issued_at=int(clock.now) + 25)
    await post(gateway, LOGOUT_ALL, ahead)

    assert await codes(gateway.me(ahead)) == ["token_revoked"]


@pytest.mark.spec("AUTH-42")
async def test_logging_out_everywhere_leaves_other_users_alone(
    gateway: "Gateway", make_token: MakeToken, user: str, token: str
) -> None:
    await post(gateway, LOGOUT_ALL, token)

    assert (await gateway.me(make_token(f"not-{user}"))).status_code == 200


@pytest.mark.spec("AUTH-42")
async def test_a_later_logout_everywhere_is_never_undone_by_an_earlier_one(
    gateway: "Gateway", make_token: MakeToken, user: str, clock: "Clock", redis: Redis
) -> None:
    first = make_token(user, issued_at=int(clock.now) - 9)
    await post(gateway, LOGOUT_ALL, first)
    key = f"user:{sha256(user.encode()).hexdigest()}"
    late = {"key": key, "until": int(clock.now) + 900, "issued_before": int(clock.now) - 60}
    await redis.publish(CHANNEL, json.dumps(late))
    await redis.publish(CHANNEL, "not json")

    assert await codes(gateway.me(first)) == ["token_revoked"]


@pytest.mark.spec("AUTH-43")
@pytest.mark.parametrize("path", [LOGOUT, LOGOUT_ALL])
async def test_other_processes_are_told_by_a_message(
    make_gateway: "MakeGateway", redis_server: Server, token: str, path: str
) -> None:
    here, there = [await make_gateway(redis_url=redis_server.url) for _ in range(2)]
    await all_listen(redis_server.url, 2)
    before = await there.me(token)

    await post(here, path, token)
    await refused_by_message(there, token)

    assert before.status_code == 200
    assert await codes(there.me(token)) == ["token_revoked"]


@pytest.mark.spec("AUTH-43")
@pytest.mark.usefixtures("without_pause")
async def test_listeners_come_back_after_redis_was_away(
    make_gateway: "MakeGateway", redis_server: Server, token: str
) -> None:
    here, there = [await make_gateway(redis_url=redis_server.url) for _ in range(2)]
    await all_listen(redis_server.url, 2)
    await redis_server.stop()
    await redis_server.start()
    await all_listen(redis_server.url, 2)
    await there.me(token)

    await post(here, LOGOUT, token)

    await refused_by_message(there, token)


@pytest.mark.spec("AUTH-43")
async def test_a_lost_message_costs_no_more_than_what_is_remembered_in_process(
    gateway: "Gateway", make_token: MakeToken, clock: "Clock", redis: Redis
) -> None:
    token_key = secrets.token_hex(32)
    token = make_token(token_key=token_key)
    await gateway.me(token)
    key = f"token:{token_key}"
    revocation = {"key": key, "until": int(clock.now) + 900, "issued_before": None}
    await redis.set(f"taskgate:revoked:{key}", json.dumps(revocation), ex=60)
    clock.advance(MEMORY_SECONDS)

    assert await codes(gateway.me(token)) == ["token_revoked"]


@pytest.mark.spec("AUTH-44")
@pytest.mark.parametrize(("path", "longest"), [(LOGOUT, 900), (LOGOUT_ALL, EIGHT_DAYS)])
async def test_redis_keeps_a_revocation_as_long_as_a_token_it_covers_could_live(
    gateway: "Gateway", make_token: MakeToken, user: str, redis: Redis, path: str, longest: int
) -> None:
    token_key, user_key = secrets.token_hex(32), sha256(user.encode()).hexdigest()
    await post(gateway, path, make_token(user, lifetime=900, token_key=token_key))
    key = f"token:{token_key}" if path == LOGOUT else f"user:{user_key}"

    left = await redis.pttl(f"taskgate:revoked:{key}")

    assert longest < left / 1000 <= longest + 60


@pytest.mark.spec("AUTH-44")
async def test_redis_holds_no_user_id_and_no_part_of_the_token(
    gateway: "Gateway", token: str, redis: Redis
) -> None:
    await post(gateway, LOGOUT_ALL, token)

    found = [key async for key in redis.scan_iter("taskgate:revoked:*")]
    held = f"{found}{await redis.mget(found)}"

    assert found
    assert not [part for part in ("@example", *token.split(".")[1:]) if part in held]


@pytest.mark.spec("AUTH-45")
@pytest.mark.usefixtures("without_pause")
async def test_without_redis_logging_out_is_unavailable_and_revokes_nothing(
    make_gateway: "MakeGateway", redis_server: Server, token: str
) -> None:
    gateway = await make_gateway(redis_url=redis_server.url)
    await redis_server.stop()

    answer = await post(gateway, LOGOUT, token)

    assert (answer.status_code, answer.json()["code"]) == (503, "auth_unavailable")
    assert "cannot be confirmed" in answer.json()["detail"]
    assert int(answer.headers["retry-after"]) > 0
    assert (await gateway.me(token)).status_code == 200


@pytest.mark.spec("AUTH-41")
async def test_logging_out_waits_for_a_redis_that_others_have_given_up(
    make_gateway: "MakeGateway", redis_server: Server, make_token: MakeToken, token: str
) -> None:
    gateway = await make_gateway(redis_url=redis_server.url)
    await gateway.me(token)
    redis_server.pause()
    logging_out = asyncio.create_task(post(gateway, LOGOUT, token))
    # Given up on Redis after its own time, and found good by the verifier.
    other = await gateway.me(make_token())
    redis_server.resume()

    assert (other.status_code, (await logging_out).status_code) == (200, 204)


@pytest.mark.spec("AUTH-45")
@pytest.mark.parametrize(
    ("unknown", "codes_then"),
    [("accept", ["token_revoked", "200"]), ("refuse", ["token_revoked", "auth_unavailable"])],
)
@pytest.mark.usefixtures("without_pause")
async def test_without_redis_what_is_known_stays_revoked_and_the_rest_is_a_setting(
    make_gateway: "MakeGateway",
    redis_server: Server,
    make_token: MakeToken,
    clock: "Clock",
    unknown: str,
    codes_then: list[str],
) -> None:
    gateway = await make_gateway(redis_url=redis_server.url, unknown_revocation=unknown)
    revoked, other = make_token(), make_token()
    await post(gateway, LOGOUT, revoked)
    await redis_server.stop()
    clock.advance(MEMORY_SECONDS)

    responses = [await gateway.me(revoked), await gateway.me(other)]

    assert [r.json().get("code") or str(r.status_code) for r in responses] == codes_then


@pytest.mark.spec("AUTH-43", "AUTH-45")
async def test_connections_from_before_a_restart_of_redis_make_nothing_unknown(
    make_gateway: "MakeGateway",
    redis_server: Server,
    make_token: MakeToken,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(redis_link, "PAUSE_SECONDS", 3600.0)
    monkeypatch.setattr(redis_link, "TIMEOUT_SECONDS", PATIENCE)
    gateway = await make_gateway(redis_url=redis_server.url, unknown_revocation="refuse")
    await asyncio.gather(*(gateway.me(make_token()) for _ in range(10)))
    await redis_server.stop()
    await redis_server.start()

    responses = await asyncio.gather(*(gateway.me(make_token()) for _ in range(10)))

    assert {response.status_code for response in responses} == {200}


@pytest.mark.spec("AUTH-44")
@pytest.mark.parametrize(
    "value", ["", "1", "{}", "null", '{"key":1,"until":"x","issued_before":null}', "\x00"]
)
async def test_what_was_written_to_redis_by_hand_stops_nobody_and_is_told(
    log: Callable[[], str],
    make_gateway: "MakeGateway",
    make_token: MakeToken,
    redis: Redis,
    value: str,
) -> None:
    gateway = await make_gateway()
    key = secrets.token_hex(32)
    await redis.set(f"taskgate:revoked:token:{key}", value, ex=60)

    response = await gateway.me(make_token(token_key=key))

    assert response.status_code == 200
    assert log().count('"event": "revocation_rejected"') == 1


@pytest.mark.spec("AUTH-44")
async def test_an_entry_under_another_tokens_name_revokes_nothing(
    gateway: "Gateway", make_token: MakeToken, redis: Redis, clock: "Clock"
) -> None:
    mine, other = secrets.token_hex(32), secrets.token_hex(32)
    entry = {"key": f"token:{other}", "until": int(clock.now) + 900, "issued_before": None}
    await redis.set(f"taskgate:revoked:token:{mine}", json.dumps(entry), ex=60)

    assert (await gateway.me(make_token(token_key=mine))).status_code == 200


@pytest.mark.spec("AUTH-41")
@pytest.mark.parametrize("path", [LOGOUT, LOGOUT_ALL])
async def test_logging_out_takes_a_post_and_a_token(
    gateway: "Gateway", token: str, path: str
) -> None:
    got = await gateway.get(path, token)
    anonymous = await gateway.client.post(path)

    assert (got.status_code, got.headers["allow"]) == (405, "POST")
    assert (anonymous.status_code, anonymous.json()["code"]) == (401, "token_missing")


@pytest.mark.spec("AUTH-41", "AUTH-38")
async def test_a_session_cookie_logs_out_from_a_listed_page_only(
    gateway: "Gateway", token: str
) -> None:
    cookie = {"Cookie": f"better-auth.session_data={token}"}

    elsewhere = await gateway.client.post(LOGOUT, headers=cookie)
    still_in = await gateway.get("/api/v1/me", headers=cookie)
    listed = {**cookie, "Origin": "https://app.example.com"}
    logged_out = await gateway.client.post(LOGOUT, headers=listed)
    after = await gateway.get("/api/v1/me", headers=cookie)

    answers = [elsewhere, still_in, logged_out, after]
    assert [answer.status_code for answer in answers] == [403, 200, 204, 401]


@pytest.mark.spec("AUTH-43")
async def test_a_verification_under_way_does_not_outrun_a_logout(
    gateway: "Gateway", verifier: "FakeVerifier", make_token: MakeToken, user: str
) -> None:
    first, second = make_token(user), make_token(user)
    await gateway.me(first)
    verifier.was_asked.clear()
    verifier.may_answer.clear()
    racing = asyncio.create_task(gateway.me(second))
    await verifier.was_asked.wait()
    await post(gateway, LOGOUT_ALL, first)
    verifier.may_answer.set()

    assert await codes(racing) == ["token_revoked"]


@pytest.mark.spec("OVER-7")
async def test_a_clock_that_is_set_forth_and_back_forgets_no_revocation(
    gateway: "Gateway", clock: "Clock", token: str, make_token: MakeToken
) -> None:
    other = make_token("bob", lifetime=EIGHT_DAYS)
    await codes(post(gateway, LOGOUT, token))

    clock.advance(2 * 60 * 60)
    meanwhile = await codes(post(gateway, LOGOUT, other))
    clock.advance(-2 * 60 * 60)

    assert meanwhile == ["204"]
    assert await codes(gateway.me(token), gateway.me(other)) == ["token_revoked"] * 2
