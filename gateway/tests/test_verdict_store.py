"""Redis is not trusted, and not needed: whoever writes to it, and whenever it is down."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from devkit.servers import Server
from gateway_service import redis_link

if TYPE_CHECKING:
    from gateway.tests.conftest import Clock, Entries, FakeVerifier, Gateway, MakeGateway

MEMORY_SECONDS = 5


def rejected(log: Callable[[], str]) -> int:
    return log().count('"event": "verdict_entry_rejected"')


def with_another_user(value: bytes) -> bytes:
    return value.replace(b'"alice"', b'"admin"')


def with_another_mac(value: bytes) -> bytes:
    return bytes([value[0] ^ 1]) + value[1:]


def without_mac(value: bytes) -> bytes:
    return value[32:]


def cut_short(value: bytes) -> bytes:
    return value[:20]


@pytest.mark.spec("AUTH-20")
@pytest.mark.parametrize("change", [with_another_user, with_another_mac, without_mac, cut_short])
async def test_an_altered_entry_is_a_miss_and_a_warning(
    log: Callable[[], str],
    make_gateway: "MakeGateway",
    verifier: "FakeVerifier",
    entries: "Entries",
    clock: "Clock",
    token: str,
    change: Callable[[bytes], bytes],
) -> None:
    gateway = await make_gateway()
    await gateway.me(token)
    value = await entries.read(token)
    assert value is not None
    await entries.write(token, change(value))
    clock.advance(MEMORY_SECONDS)

    response = await gateway.me(token)

    assert response.json()["user_id"] == "alice"
    assert (len(verifier.asked), rejected(log)) == (2, 1)


@pytest.mark.spec("AUTH-20")
async def test_the_entry_of_another_token_is_a_miss_and_a_warning(
    log: Callable[[], str],
    make_gateway: "MakeGateway",
    verifier: "FakeVerifier",
    entries: "Entries",
    make_token: Callable[..., str],
) -> None:
    gateway = await make_gateway()
    admins, mallorys = make_token("admin"), make_token("mallory")
    await gateway.me(admins)
    value = await entries.read(admins)
    assert value is not None
    await entries.write(mallorys, value)

    response = await gateway.me(mallorys)

    assert response.json()["user_id"] == "mallory"
    assert (len(verifier.asked), rejected(log)) == (2, 1)


@pytest.mark.spec("AUTH-20")
async def test_an_entry_written_by_hand_lets_nobody_in(
    log: Callable[[], str],
    make_gateway: "MakeGateway",
    verifier: "FakeVerifier",
    entries: "Entries",
    clock: "Clock",
    token: str,
) -> None:
    gateway = await make_gateway()
    verdict = {"user_id": "admin", "issuer": "me", "expires_at": int(clock.now) + 60}
    payload = json.dumps({**verdict, "not_before": None, "verified_at": clock.now}).encode()
    await entries.write(token, bytes(32) + payload)
    await verifier.stop()

    response = await gateway.me(token)

    assert (response.status_code, rejected(log)) == (503, 1)


@pytest.mark.spec("AUTH-20")
async def test_an_entry_sealed_with_another_identity_key_is_a_miss(
    make_gateway: "MakeGateway", verifier: "FakeVerifier", token: str
) -> None:
    await (await make_gateway()).me(token)
    other = await make_gateway(identity_key="another key of thirty-two bytes and more")

    response = await other.me(token)

    assert response.status_code == 200
    assert len(verifier.asked) == 2


@pytest.mark.spec("AUTH-20")
async def test_entries_outlive_a_rotation_of_the_identity_key(
    make_gateway: "MakeGateway", verifier: "FakeVerifier", identity_key: str, token: str
) -> None:
    await (await make_gateway()).me(token)
    rotated = await make_gateway(identity_key=f"the next key of thirty-two bytes,{identity_key}")

    response = await rotated.me(token)

    assert response.status_code == 200
    assert len(verifier.asked) == 1


@pytest.mark.spec("AUTH-20")
async def test_redis_holds_neither_the_token_nor_its_signature(
    gateway: "Gateway", entries: "Entries", token: str
) -> None:
    await gateway.me(token)

    value = await entries.read(token)

    assert value is not None
    assert not any(part.encode() in value for part in token.split("."))


@pytest.mark.spec("AUTH-22")
async def test_without_redis_requests_are_still_right(
    make_gateway: "MakeGateway",
    redis_server: Server,
    verifier: "FakeVerifier",
    make_token: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(redis_link, "PAUSE_SECONDS", 0.0)
    gateway = await make_gateway(redis_url=redis_server.url)
    await gateway.me(make_token("before"))

    await redis_server.stop()
    without = await gateway.me(make_token("without"))
    await redis_server.start()
    again = make_token("again")
    responses = [without, await gateway.me(again)]
    twin = await make_gateway(redis_url=redis_server.url)
    responses.append(await twin.me(again))

    assert [response.json()["user_id"] for response in responses] == ["without", "again", "again"]
    assert len(verifier.asked) == 3


@pytest.mark.spec("AUTH-22")
async def test_a_redis_that_hangs_is_given_up_and_left_alone(
    log: Callable[[], str],
    make_gateway: "MakeGateway",
    redis_server: Server,
    make_token: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(redis_link, "PAUSE_SECONDS", 3600.0)
    gateway = await make_gateway(redis_url=redis_server.url)
    await gateway.me(make_token())

    redis_server.pause()
    responses = [await gateway.me(make_token()) for _ in range(3)]
    redis_server.resume()

    assert {response.status_code for response in responses} == {200}
    assert log().count("redis_unavailable") == 1
