"""What must be let in: without these, a door that is walled up would pass every other test."""

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from devkit.forge import PUBLIC_KEY, Forge, to_json

Check = Callable[..., Awaitable[None]]

HEADERS: dict[str, Mapping[str, Any]] = {
    "no typ": {},
    "JWT": {"typ": "JWT"},
    "jwt": {"typ": "jwt"},
    "at+jwt": {"typ": "at+jwt"},
    "AT+JWT": {"typ": "AT+JWT"},
    "unknown member": {"x": {"y": [1, None]}},
    "content type": {"cty": "json"},
}
KIDS = ["1", "key-EdDSA", "../../dev/null", "x' OR 1=1", "k" * 256, "\u00e4\u4e2d", ""]
# Away from now in seconds. `exp` has no leeway, the others 30 s; ten are left for the test itself.
TIMES: dict[str, dict[str, float]] = {
    "ends in 20 s": {"exp": 20},
    "ends after a fraction": {"exp": 60.75},
    "issued 20 s ahead": {"iat": 20},
    "issued 30 s ahead": {"iat": 30},
    "issued a fraction ahead": {"iat": 19.5},
    "not before 30 s ahead": {"nbf": 30},
    "not before long ago": {"nbf": -(10**8)},
    "eight days": {"iat": 0, "exp": 8 * 24 * 3600},
    "issued seven days ago": {"iat": -7 * 24 * 3600, "exp": 3600},
}
TOO_LATE: dict[str, dict[str, float]] = {
    "ended": {"exp": -1},
    "ends now": {"exp": 0},
    "issued a minute ahead": {"iat": 60},
    "not before a minute": {"nbf": 60},
    "nine days": {"iat": 0, "exp": 9 * 24 * 3600},
}
CLAIMS: dict[str, dict[str, Any]] = {
    "longest user id": {"sub": "a" * 255},
    "more claims": {"name": "Ada", "roles": ["admin"], "x": {"y": {"z": None}}},
    "nesting": {"x": [[[[[[[[[[{}]]]]]]]]]]},
    "token id": {"jti": "j" * 255},
    "almost 16 kB": {"x": "x" * 11_000},
    "large numbers elsewhere": {"x": 10**300, "y": 1e308},
}


def _moved(times: Mapping[str, float]) -> dict[str, Any]:
    now = int(time.time())
    return {name: now + seconds for name, seconds in times.items()}


@pytest.mark.spec("ABUSE-18")
@pytest.mark.parametrize("kid", ["its own", "none"])
@pytest.mark.parametrize("algorithm", [*PUBLIC_KEY, "HS256"])
async def test_every_algorithm_is_accepted(
    accepted: Check, forge: Forge, algorithm: str, kid: str
) -> None:
    await accepted(forge.token(algorithm, {} if kid == "its own" else {"kid": ...}))


@pytest.mark.spec("ABUSE-18")
async def test_eddsa_may_be_spelled_ed25519(accepted: Check, forge: Forge) -> None:
    await accepted(forge.token("EdDSA", {"alg": "Ed25519"}))


@pytest.mark.spec("ABUSE-18")
@pytest.mark.parametrize("kid", KIDS, ids=lambda kid: kid[:20])
async def test_a_secret_has_no_name_to_get_wrong(accepted: Check, forge: Forge, kid: str) -> None:
    await accepted(forge.token("HS256", {"kid": kid}))


@pytest.mark.spec("ABUSE-18")
@pytest.mark.parametrize("by", ["EdDSA", "HS256"])
@pytest.mark.parametrize("header", HEADERS)
async def test_a_harmless_header_is_accepted(
    accepted: Check, forge: Forge, header: str, by: str
) -> None:
    await accepted(forge.token(by, HEADERS[header]))


@pytest.mark.spec("ABUSE-18")
@pytest.mark.parametrize("by", ["EdDSA", "HS256"])
@pytest.mark.parametrize("times", TIMES)
async def test_a_time_within_the_leeway_is_accepted(
    accepted: Check, forge: Forge, times: str, by: str
) -> None:
    await accepted(forge.token(by, **_moved(TIMES[times])))


@pytest.mark.spec("ABUSE-18")
@pytest.mark.parametrize("times", TOO_LATE)
async def test_a_time_beyond_the_leeway_is_refused(
    refused: Check, forge: Forge, times: str
) -> None:
    await refused(forge.token("EdDSA", **_moved(TOO_LATE[times])))


@pytest.mark.spec("ABUSE-18")
@pytest.mark.parametrize("claims", CLAIMS)
async def test_harmless_claims_are_accepted(accepted: Check, forge: Forge, claims: str) -> None:
    extra = CLAIMS[claims]

    await accepted(forge.token("EdDSA", **extra), extra.get("sub", "ada"))


@pytest.mark.spec("ABUSE-18")
@pytest.mark.parametrize("audiences", [1, 2])
async def test_one_good_audience_is_enough(accepted: Check, forge: Forge, audiences: int) -> None:
    await accepted(forge.token("EdDSA", aud=["https://x.test", forge.origin][-audiences:]))


@pytest.mark.spec("ABUSE-18")
async def test_a_hand_made_token_needs_neither_issuer_nor_audience(
    accepted: Check, forge: Forge
) -> None:
    await accepted(forge.token("HS256", iss=..., aud=...))


@pytest.mark.spec("ABUSE-18")
async def test_white_space_in_the_json_is_accepted(accepted: Check, forge: Forge) -> None:
    claims = to_json(forge.claims()).replace(b",", b" ,\r\n\t")

    await accepted(forge.token("EdDSA", raw_claims=b" " + claims + b"\n"))
