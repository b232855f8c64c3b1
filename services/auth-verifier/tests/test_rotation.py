"""Keys in normal life: found, rotated, searched for, refreshed."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from httpx import Response

from auth_verifier.jwks import DEFAULT_POLICY, RemoteKeys

MakeToken = Callable[..., str]
Verify = Callable[[str], Awaitable[Response]]

QUICK = {"max_age": 0.02, "cool_down": 0.02}


def codes(*responses: Response) -> list[str | int]:
    return [
        response.status_code if response.is_success else response.json()["code"]
        for response in responses
    ]


def assert_unavailable(response: Response) -> None:
    assert (response.status_code, response.json()["code"]) == (503, "auth_unavailable")
    assert 1 <= int(response.headers["retry-after"]) <= 5


@pytest.mark.spec("AUTH-12")
@pytest.mark.parametrize(
    ("path", "asked"), [("", "/api/auth/jwks"), ("/", "/api/auth/jwks"), ("/auth/", "/auth/jwks")]
)
async def test_keys_are_fetched_from_under_the_url_of_the_issuer(
    start: Any, issuer: Any, token: MakeToken, path: str, asked: str
) -> None:
    verify = await start(better_auth_url=issuer.url + path, better_auth_jwks_url=...)

    response = await verify(token("EdDSA", iss=issuer.url, aud=issuer.url))

    assert codes(response) == [200]
    assert issuer.paths == [asked]


@pytest.mark.spec("AUTH-14")
async def test_a_rotated_key_is_picked_up_with_its_first_token(
    verify: Verify, issuer: Any, keys: Any, token: MakeToken, new_key: Any
) -> None:
    rotated = new_key("rotated")
    old = await verify(token("EdDSA"))
    issuer.publish(keys["EdDSA"].jwk(), rotated.jwk())

    new = await verify(token(rotated))

    assert codes(old, new) == [200, 200]


@pytest.mark.spec("AUTH-14")
async def test_an_unknown_kid_costs_one_fetch_per_cool_down(
    verify: Verify, issuer: Any, token: MakeToken, new_key: Any, clock: Any
) -> None:
    text = token(new_key("unknown"))
    await verify(token("EdDSA"))

    within = [await verify(text) for _ in range(3)]
    asked_within = len(issuer.paths)
    clock.monotonic += 5
    later = [await verify(text) for _ in range(3)]

    assert codes(*within, *later) == ["token_invalid"] * 6
    assert (asked_within, len(issuer.paths)) == (2, 3)


@pytest.mark.spec("AUTH-14")
async def test_a_second_unknown_kid_within_the_cool_down_is_asked_to_wait_and_costs_nothing(
    verify: Verify, issuer: Any, token: MakeToken, new_key: Any, clock: Any
) -> None:
    rotated = new_key("rotated")
    await verify(token("EdDSA"))
    await verify(token(new_key("made-up")))
    issuer.publish(rotated.jwk())

    within = await verify(token(rotated))
    asked_within = len(issuer.paths)
    clock.monotonic += int(within.headers["retry-after"])
    later = await verify(token(rotated))

    assert_unavailable(within)
    assert (asked_within, codes(later)) == (2, [200])


@pytest.mark.spec("AUTH-14")
@pytest.mark.parametrize("kids", [1, 100])
async def test_however_many_ask_at_once_one_fetch_is_in_flight(
    verify: Verify, issuer: Any, token: MakeToken, new_key: Any, kids: int
) -> None:
    texts = [token(new_key(f"unknown-{number % kids}")) for number in range(100)]
    await verify(token("EdDSA"))
    issuer.open.clear()

    asking = asyncio.gather(*map(verify, texts))
    await issuer.asked(2)
    issuer.open.set()
    responses = await asking

    assert codes(*responses) == ["token_invalid"] * 100
    assert len(issuer.paths) == 2


@pytest.mark.spec("AUTH-14")
async def test_unknown_kids_are_remembered_within_a_bound(
    verify: Verify, issuer: Any, token: MakeToken, new_key: Any
) -> None:
    key = new_key("any")
    texts = [token(key, {"kid": f"unknown-{number}"}) for number in range(1100)]
    await verify(token("EdDSA"))

    await asyncio.gather(*map(verify, texts))
    again = codes(*await asyncio.gather(*map(verify, texts)))

    assert again.count("token_invalid") == 1024
    assert again.count("auth_unavailable") == 1100 - 1024
    assert len(issuer.paths) == 2


@pytest.mark.spec("AUTH-14")
async def test_known_keys_are_not_held_up_by_the_search_for_an_unknown_one(
    verify: Verify, issuer: Any, token: MakeToken, new_key: Any
) -> None:
    await verify(token("EdDSA"))
    issuer.open.clear()
    searching = asyncio.create_task(_ask(verify, token(new_key("unknown"))))
    await issuer.asked(2)

    known = await verify(token("EdDSA"))
    issuer.open.set()

    assert codes(known, await searching) == [200, "token_invalid"]


@pytest.mark.spec("AUTH-14")
async def test_a_caller_that_hangs_up_does_not_end_the_fetch_for_the_others(
    verify: Verify, issuer: Any, token: MakeToken, new_key: Any
) -> None:
    rotated = new_key("rotated")
    await verify(token("EdDSA"))
    issuer.publish(rotated.jwk())
    issuer.open.clear()
    leader = asyncio.create_task(_ask(verify, token(rotated)))
    await issuer.asked(2)
    follower = asyncio.create_task(_ask(verify, token(rotated)))

    leader.cancel()
    await asyncio.gather(leader, return_exceptions=True)
    issuer.open.set()

    assert codes(await follower) == [200]
    assert len(issuer.paths) == 2


@pytest.mark.spec("AUTH-14")
async def test_a_key_born_during_a_refresh_is_found_by_a_fetch_of_its_own(
    start: Any, issuer: Any, token: MakeToken, new_key: Any
) -> None:
    rotated = new_key("rotated")
    verify = await start(policy={"max_age": 0.1})
    await verify(token("EdDSA"))
    issuer.open.clear()
    await issuer.asked(len(issuer.paths) + 1)
    issuer.publish(rotated.jwk())
    asking = asyncio.create_task(_ask(verify, token(rotated)))
    await asyncio.sleep(0)
    issuer.open.set()

    assert codes(await asking) == [200]


@pytest.mark.spec("AUTH-16")
async def test_a_key_gone_from_the_key_set_is_refused_after_the_next_refresh(
    start: Any, issuer: Any, keys: Any, token: MakeToken
) -> None:
    verify = await start(policy=QUICK)
    before = await verify(token("EdDSA"))
    issuer.publish(keys["ES256"].jwk())
    await issuer.asked(len(issuer.paths) + 2)

    gone, kept = await verify(token("EdDSA")), await verify(token("ES256"))

    assert codes(before, gone, kept) == [200, "token_invalid", 200]


@pytest.mark.spec("AUTH-16")
async def test_a_refresh_ends_before_the_keys_are_25_s_old() -> None:
    async with httpx.AsyncClient() as client:
        remote = RemoteKeys("http://127.0.0.1/jwks", client)
        latest = max(remote._pause() for _ in range(1000)) + DEFAULT_POLICY.timeout

    assert latest < 25


@pytest.mark.spec("AUTH-16")
async def test_keys_are_fetched_before_anybody_asks(start: Any, issuer: Any) -> None:
    await start()

    await issuer.asked(1)

    assert issuer.paths == ["/jwks"]


async def _ask(verify: Verify, text: str) -> Response:
    return await verify(text)


@pytest.mark.spec("AUTH-48")
@pytest.mark.parametrize(
    "claims",
    [
        {"exp": 1_799_999_999},
        {"iss": "https://evil.example"},
        {"aud": "https://evil.example"},
        {"sub": ...},
        {"nbf": 1_800_000_900},
    ],
    ids=repr,
)
async def test_a_token_that_is_refused_anyway_costs_no_fetch(
    verify: Verify, issuer: Any, token: MakeToken, new_key: Any, claims: dict[str, Any]
) -> None:
    await verify(token("EdDSA"))
    junk = [token(new_key(f"unknown-{number}"), **claims) for number in range(5)]

    answers = [await verify(text) for text in junk]

    assert {answer.status_code for answer in answers} == {401}
    assert len(issuer.paths) == 1
