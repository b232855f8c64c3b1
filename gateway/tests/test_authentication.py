"""A token's verdict: asked for once, remembered for seconds, checked again on every use."""

import asyncio
import json
from collections.abc import Callable
from hashlib import sha256
from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from gateway.tests.conftest import Clock, Entries, FakeVerifier, Gateway, MakeGateway

TASKS = "/api/v1/tasks"
REFUSAL = (
    *("code", "reason", "issuer", "kid"),
    *("request_id", "client", "credential", "token_hash"),
)


@pytest.mark.spec("AUTH-19")
async def test_a_verdict_is_asked_for_once(
    gateway: "Gateway", verifier: "FakeVerifier", token: str
) -> None:
    responses = [await gateway.get(TASKS, token) for _ in range(3)]

    assert [response.status_code for response in responses] == [200, 200, 200]
    assert verifier.asked == [token]


@pytest.mark.spec("AUTH-19")
@pytest.mark.parametrize(("seconds", "times_asked"), [(4.9, 1), (5.0, 2)])
async def test_a_verdict_is_kept_in_process_for_at_most_5_seconds(
    gateway: "Gateway",
    verifier: "FakeVerifier",
    entries: "Entries",
    clock: "Clock",
    token: str,
    seconds: float,
    times_asked: int,
) -> None:
    await gateway.me(token)
    await entries.delete(token)
    clock.advance(seconds)

    response = await gateway.me(token)

    assert response.status_code == 200
    assert len(verifier.asked) == times_asked


@pytest.mark.spec("AUTH-19")
@pytest.mark.parametrize(("seconds", "times_asked"), [(29.9, 1), (30.0, 2)])
async def test_a_verdict_is_kept_in_redis_for_at_most_30_seconds(
    gateway: "Gateway",
    verifier: "FakeVerifier",
    clock: "Clock",
    token: str,
    seconds: float,
    times_asked: int,
) -> None:
    await gateway.me(token)
    clock.advance(seconds)

    response = await gateway.me(token)

    assert response.status_code == 200
    assert len(verifier.asked) == times_asked


@pytest.mark.spec("AUTH-19")
async def test_what_redis_gave_is_not_remembered_longer_than_redis_may(
    gateway: "Gateway", verifier: "FakeVerifier", clock: "Clock", token: str
) -> None:
    await gateway.me(token)
    clock.advance(28)
    await gateway.me(token)
    clock.advance(2)

    await gateway.me(token)

    assert len(verifier.asked) == 2


@pytest.mark.spec("AUTH-19")
async def test_a_shorter_time_to_live_holds_for_both_layers(
    make_gateway: "MakeGateway", verifier: "FakeVerifier", clock: "Clock", token: str
) -> None:
    gateway = await make_gateway(verdict_ttl_seconds=1)
    await gateway.me(token)
    clock.advance(1)

    await gateway.me(token)

    assert len(verifier.asked) == 2


@pytest.mark.spec("AUTH-19")
@pytest.mark.parametrize(("lifetime", "longest"), [(3600, 30_000), (10, 10_000)])
async def test_redis_forgets_a_verdict_in_time(
    gateway: "Gateway",
    entries: "Entries",
    make_token: Callable[..., str],
    lifetime: float,
    longest: int,
) -> None:
    token = make_token(lifetime=lifetime)

    await gateway.me(token)

    assert longest - 5_000 < await entries.milliseconds_left(token) <= longest


@pytest.mark.spec("AUTH-19")
async def test_a_token_that_expires_while_it_is_remembered_is_expired(
    gateway: "Gateway", clock: "Clock", make_token: Callable[..., str]
) -> None:
    token = make_token(lifetime=3)
    first = await gateway.me(token)
    clock.advance(3)

    response = await gateway.me(token)

    assert first.status_code == 200
    assert (response.status_code, response.json()["code"]) == (401, "token_expired")
    assert response.headers["www-authenticate"] == 'Bearer error="invalid_token"'


@pytest.mark.spec("AUTH-19")
async def test_a_token_that_is_not_valid_yet_by_our_clock_is_refused(
    gateway: "Gateway", clock: "Clock", make_token: Callable[..., str]
) -> None:
    response = await gateway.me(make_token(not_before=int(clock.now) + 32))

    assert (response.status_code, response.json()["code"]) == (401, "token_invalid")


@pytest.mark.spec("AUTH-19")
async def test_a_clock_set_back_prolongs_nothing(
    gateway: "Gateway", verifier: "FakeVerifier", clock: "Clock", token: str
) -> None:
    await gateway.me(token)
    clock.advance(-3600)

    await gateway.me(token)

    assert len(verifier.asked) == 2


async def test_gateways_share_their_verdicts(
    make_gateway: "MakeGateway", verifier: "FakeVerifier", token: str
) -> None:
    first, second = await make_gateway(), await make_gateway()

    responses = [await first.me(token), await second.me(token)]

    assert responses[0].json() == responses[1].json()
    assert verifier.asked == [token]


@pytest.mark.parametrize("code", ["token_invalid", "token_expired"])
async def test_a_refusal_is_passed_on_in_the_verifiers_words(
    gateway: "Gateway", verifier: "FakeVerifier", token: str, code: str
) -> None:
    verifier.refuse(code, "Set BETTER_AUTH_URL.")

    response = await gateway.get(TASKS, token)

    problem = response.json()
    assert (response.status_code, problem["code"]) == (401, code)
    assert problem["detail"] == "Set BETTER_AUTH_URL."
    assert problem["type"].endswith(f"/docs/errors#{code}")
    assert response.headers["www-authenticate"] == 'Bearer error="invalid_token"'


async def test_a_refusal_is_not_remembered(
    gateway: "Gateway", verifier: "FakeVerifier", token: str
) -> None:
    verifier.refuse()
    await gateway.me(token)
    verifier.answer = None

    response = await gateway.me(token)

    assert response.status_code == 200


@pytest.mark.spec("AUTH-21")
async def test_a_hundred_requests_with_one_unknown_token_are_one_verification(
    gateway: "Gateway", verifier: "FakeVerifier", token: str
) -> None:
    verifier.may_answer.clear()
    requests = [asyncio.create_task(gateway.me(token)) for _ in range(100)]
    await verifier.was_asked.wait()
    verifier.may_answer.set()

    responses = await asyncio.gather(*requests)

    assert {response.status_code for response in responses} == {200}
    assert verifier.asked == [token]


@pytest.mark.spec("AUTH-21")
async def test_different_tokens_do_not_wait_for_one_another(
    gateway: "Gateway", verifier: "FakeVerifier", make_token: Callable[..., str]
) -> None:
    known = make_token("bob")
    await gateway.me(known)
    verifier.was_asked.clear()
    verifier.may_answer.clear()
    waiting = asyncio.create_task(gateway.me(make_token()))
    await verifier.was_asked.wait()

    response = await gateway.me(known)

    assert response.json()["user_id"] == "bob"
    assert not waiting.done()
    verifier.may_answer.set()
    await waiting


@pytest.mark.spec("AUTH-21")
async def test_the_first_to_ask_may_hang_up_without_disturbing_the_others(
    gateway: "Gateway", verifier: "FakeVerifier", token: str
) -> None:
    verifier.may_answer.clear()
    async with httpx.AsyncClient(base_url=gateway.url, trust_env=False) as leaver:
        headers = {"Authorization": f"Bearer {token}"}
        leader = asyncio.create_task(leaver.get(TASKS, headers=headers))
        await verifier.was_asked.wait()
        followers = [asyncio.create_task(gateway.me(token)) for _ in range(10)]
        leader.cancel()
        await asyncio.wait([leader])

    verifier.may_answer.set()
    responses = await asyncio.gather(*followers)

    assert leader.cancelled()
    assert {response.status_code for response in responses} == {200}
    assert verifier.asked == [token]


@pytest.mark.spec("AUTH-24", "AUTH-49")
async def test_a_refusal_is_logged_with_its_code_and_request_id_and_without_the_token(
    log: Callable[[], str], make_gateway: "MakeGateway", verifier: "FakeVerifier", token: str
) -> None:
    gateway = await make_gateway()
    verifier.refuse()

    await gateway.get(TASKS, token, headers={"X-Request-Id": "story-7"})

    written = log()
    lines = [json.loads(line) for line in written.splitlines()]
    refused = [line for line in lines if line["event"] == "token_refused"]
    known = {name: refused[0][name] for name in REFUSAL}
    assert len(refused) == 1
    assert known == {
        "code": "token_invalid",
        "reason": "signature",
        "issuer": "better-auth",
        "kid": "key-1",
        "request_id": "story-7",
        "client": "127.0.0.1",
        "credential": "bearer",
        "token_hash": sha256(token.encode()).hexdigest()[:12],
    }
    assert not any(part in written for part in (token, *token.split(".")[1:]))


@pytest.mark.spec("AUTH-47")
async def test_a_full_memory_forgets_who_has_been_in_it_longest(
    make_gateway: "MakeGateway",
    verifier: "FakeVerifier",
    entries: "Entries",
    make_token: Callable[..., str],
) -> None:
    gateway = await make_gateway(verdict_memory_entries=2)
    first, second, third = make_token(), make_token(), make_token()
    for token in (first, second, third):
        await gateway.me(token)
        await entries.delete(token)

    for token in (third, second, first):
        await gateway.me(token)

    assert verifier.asked == [first, second, third, first]
