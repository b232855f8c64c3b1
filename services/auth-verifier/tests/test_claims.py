"""The claims, each at its edges."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from httpx import Response

MakeToken = Callable[..., str]
Verify = Callable[[str], Awaitable[Response]]

NOW = 1_800_000_000
ORIGIN = "https://app.example.com"
EIGHT_DAYS = 8 * 24 * 60 * 60
FOUR_HUNDRED_DAYS = 400 * 24 * 60 * 60
NO_TIMES: list[Any] = ["1800000900", None, True, [], {}, 2.0**53 * 2, -(2.0**54)]
BOTH_KINDS = pytest.mark.parametrize("by", ["HS256", "EdDSA"])


def assert_refused(response: Response, naming: str, code: str = "token_invalid") -> None:
    assert (response.status_code, response.json()["code"]) == (401, code)
    assert naming in response.json()["detail"]


def without_fingerprints(response: Response) -> dict[str, Any]:
    """Return the verdict less its two hashes, which have tests of their own."""
    verdict: dict[str, Any] = response.json()
    assert len(verdict.pop("token_key")) == len(verdict.pop("trust_version")) == 64
    return verdict


@pytest.mark.spec("AUTH-13")
async def test_the_verdict_tells_all_the_gateway_needs(verify: Verify, token: MakeToken) -> None:
    response = await verify(token("EdDSA", nbf=NOW - 5, jti="t1"))

    assert response.status_code == 200
    assert without_fingerprints(response) == {
        "user_id": "u1",
        "issuer": "better-auth",
        "expires_at": NOW + 900,
        "not_before": NOW - 5,
        "issued_at": NOW,
        "key_id": "key-EdDSA",
        "token_ends_at": NOW + 900,
        "user_tokens_end_at": NOW + FOUR_HUNDRED_DAYS,
    }


@pytest.mark.spec("AUTH-11", "AUTH-13")
async def test_the_least_a_shared_secret_token_needs_is_a_user_and_an_expiry(
    verify: Verify, token: MakeToken
) -> None:
    response = await verify(token(iat=..., iss=..., aud=...))

    assert without_fingerprints(response) == {
        "user_id": "u1",
        "issuer": "better-auth",
        "expires_at": NOW + 900,
        "not_before": None,
        "issued_at": None,
        "key_id": None,
        "token_ends_at": NOW + 900,
        "user_tokens_end_at": NOW + FOUR_HUNDRED_DAYS,
    }


@pytest.mark.spec("AUTH-13")
async def test_fractions_of_seconds_never_stretch_a_token(verify: Verify, token: MakeToken) -> None:
    verdict = (await verify(token(exp=NOW + 9.9, nbf=NOW - 9.9, iat=NOW - 9.1))).json()

    assert (verdict["expires_at"], verdict["not_before"]) == (NOW + 9, NOW - 9)
    assert verdict["issued_at"] == NOW - 10


@pytest.mark.spec("AUTH-5")
async def test_a_token_without_exp_is_refused(verify: Verify, token: MakeToken) -> None:
    assert_refused(await verify(token(exp=...)), "`exp`")


@pytest.mark.spec("AUTH-5")
@pytest.mark.parametrize("claim", ["exp", "nbf", "iat"])
@pytest.mark.parametrize("value", NO_TIMES, ids=repr)
async def test_a_time_that_is_no_number_of_seconds_is_refused(
    verify: Verify, token: MakeToken, claim: str, value: Any
) -> None:
    assert_refused(await verify(token(**{claim: value})), f"`{claim}`")


@pytest.mark.spec("AUTH-5")
async def test_an_infinite_exp_is_refused(verify: Verify, token: MakeToken) -> None:
    assert_refused(await verify(token(raw_claims=b'{"sub":"u1","exp":1e999}')), "`exp`")


@pytest.mark.spec("AUTH-5")
@pytest.mark.parametrize("exp", [NOW, NOW - 1, NOW - 0.5, 31_536_000, -1])
async def test_a_token_is_expired_from_the_second_its_exp_names(
    verify: Verify, token: MakeToken, exp: float
) -> None:
    response = await verify(token(iat=..., exp=exp))

    assert_refused(response, "has expired", "token_expired")


@pytest.mark.spec("AUTH-5")
async def test_a_token_is_good_until_the_second_before_its_exp(
    verify: Verify, token: MakeToken
) -> None:
    assert (await verify(token(exp=NOW + 1))).status_code == 200


@pytest.mark.spec("AUTH-5")
async def test_a_token_expires_when_its_time_comes(
    verify: Verify, token: MakeToken, clock: Any
) -> None:
    text = token("EdDSA")
    before = await verify(text)
    clock.wall += 900

    after = await verify(text)

    assert before.status_code == 200
    assert_refused(after, "has expired", "token_expired")


@pytest.mark.spec("AUTH-13")
@pytest.mark.parametrize("exp", [0, 900, 31_535_999])
async def test_an_exp_in_1970_names_the_mistake(verify: Verify, token: MakeToken, exp: int) -> None:
    response = await verify(token(iat=..., exp=exp))

    assert_refused(response, "expirationTime", "token_expired")


@pytest.mark.spec("AUTH-5")
@pytest.mark.parametrize("claim", ["nbf", "iat"])
async def test_a_clock_30_s_ahead_is_tolerated(
    verify: Verify, token: MakeToken, claim: str
) -> None:
    assert (await verify(token(**{claim: NOW + 30}))).status_code == 200


@pytest.mark.spec("AUTH-5")
@pytest.mark.parametrize("claim", ["nbf", "iat"])
@pytest.mark.parametrize("value", [NOW + 30.5, NOW + 31, NOW * 1000])
async def test_a_clock_further_ahead_is_not(
    verify: Verify, token: MakeToken, claim: str, value: float
) -> None:
    assert_refused(await verify(token(**{claim: value})), f"`{claim}`")


@pytest.mark.spec("AUTH-6")
@pytest.mark.parametrize("iat", [NOW, NOW - 60, ...])
async def test_a_lifetime_of_eight_days_is_the_longest_accepted(
    verify: Verify, token: MakeToken, iat: Any
) -> None:
    start = NOW if iat is ... else iat

    longest = await verify(token(iat=iat, exp=start + EIGHT_DAYS))
    longer = await verify(token(iat=iat, exp=start + EIGHT_DAYS + 1))

    assert longest.status_code == 200
    assert_refused(longer, "AUTH_MAX_TOKEN_LIFETIME")


@pytest.mark.spec("AUTH-6")
async def test_the_longest_lifetime_is_a_setting(start: Any, token: MakeToken) -> None:
    verify = await start(auth_max_token_lifetime=60)

    longest, longer = await verify(token(exp=NOW + 60)), await verify(token(exp=NOW + 61))

    assert longest.status_code == 200
    assert_refused(longer, "60 seconds")


@pytest.mark.spec("AUTH-6")
async def test_an_exp_in_milliseconds_names_the_mistake(verify: Verify, token: MakeToken) -> None:
    assert_refused(await verify(token(exp=NOW * 1000)), "not milliseconds")


@pytest.mark.spec("AUTH-7")
@pytest.mark.parametrize(
    "sub", ["1", "x" * 255, "\u00fc\U0001f600" * 127, "auth0|5f7c", "a b", "Null", "a@b.example"]
)
async def test_any_other_string_is_a_user_id(verify: Verify, token: MakeToken, sub: str) -> None:
    assert (await verify(token(sub=sub))).json()["user_id"] == sub


@pytest.mark.spec("AUTH-7")
@pytest.mark.parametrize(
    "sub",
    [
        *(..., None, 1, True, ["u1"], {"id": "u1"}),
        *("", " ", "\u00a0\u2003", "null", "undefined", "x" * 256),
        *("a\nb", "a\x00", "\x7f", "\x85", "\ud800"),
    ],
    ids=repr,
)
@BOTH_KINDS
async def test_a_token_without_a_usable_sub_is_refused(
    verify: Verify, token: MakeToken, by: str, sub: Any
) -> None:
    assert_refused(await verify(token(by, sub=sub)), "`sub`")


@pytest.mark.spec("AUTH-7")
async def test_no_other_claim_stands_in_for_sub(verify: Verify, token: MakeToken) -> None:
    others = {"id": "u1", "userId": "u1", "email": "u1@example.com", "user": {"id": "u1"}}

    assert_refused(await verify(token(sub=..., **others)), "`sub`")


@pytest.mark.spec("AUTH-8")
@pytest.mark.parametrize("iss", [ORIGIN + "/", "https://evil.example", "", None, 1, [ORIGIN]])
@BOTH_KINDS
async def test_another_iss_is_refused(verify: Verify, token: MakeToken, by: str, iss: Any) -> None:
    assert_refused(await verify(token(by, iss=iss)), "`iss`")


@pytest.mark.spec("AUTH-8")
async def test_a_jwks_token_needs_an_iss(verify: Verify, token: MakeToken) -> None:
    assert_refused(await verify(token("EdDSA", iss=...)), "`iss`")


@pytest.mark.spec("AUTH-8")
@BOTH_KINDS
async def test_each_configured_issuer_is_accepted_and_replaces_the_default(
    start: Any, token: MakeToken, by: str
) -> None:
    verify = await start(better_auth_issuers="https://a.example, https://b.example/")

    listed = await verify(token(by, iss="https://b.example/"))
    default = await verify(token(by, iss=ORIGIN))

    assert listed.status_code == 200
    assert_refused(default, "`iss`")


@pytest.mark.spec("AUTH-8")
async def test_with_a_secret_alone_any_iss_will_do(start: Any, token: MakeToken) -> None:
    verify = await start(better_auth_url=..., better_auth_jwks_url=...)

    assert (await verify(token(iss="https://any.example", aud=...))).status_code == 200


@pytest.mark.spec("AUTH-9")
@pytest.mark.parametrize(
    "aud", ["https://evil.example", ORIGIN + "/", "", None, 1, [], [ORIGIN, 1], {ORIGIN: 1}]
)
@BOTH_KINDS
async def test_an_unexpected_aud_is_refused(
    verify: Verify, token: MakeToken, by: str, aud: Any
) -> None:
    assert_refused(await verify(token(by, aud=aud)), "`aud`")


@pytest.mark.spec("AUTH-9")
async def test_a_jwks_token_needs_an_aud(verify: Verify, token: MakeToken) -> None:
    assert_refused(await verify(token("EdDSA", aud=...)), "`aud`")


@pytest.mark.spec("AUTH-9")
@BOTH_KINDS
async def test_one_expected_audience_among_others_is_enough(
    start: Any, token: MakeToken, by: str
) -> None:
    verify = await start(better_auth_audiences="tasks,notes")

    response = await verify(token(by, aud=["other", "notes"]))

    assert response.status_code == 200


@pytest.mark.spec("AUTH-9")
async def test_configured_audiences_replace_the_default(start: Any, token: MakeToken) -> None:
    verify = await start(better_auth_audiences="tasks")

    assert_refused(await verify(token("EdDSA", aud=ORIGIN)), "`aud`")


@pytest.mark.spec("AUTH-9")
async def test_with_a_secret_alone_an_aud_is_meant_for_somebody_else(
    start: Any, token: MakeToken
) -> None:
    verify = await start(better_auth_url=..., better_auth_jwks_url=...)

    assert_refused(await verify(token()), "BETTER_AUTH_AUDIENCES")


@pytest.mark.spec("AUTH-13")
@pytest.mark.parametrize("jti", [None, 1, "", "x" * 256, "a\nb"])
async def test_a_jti_that_is_no_id_is_refused(verify: Verify, token: MakeToken, jti: Any) -> None:
    assert_refused(await verify(token(jti=jti)), "`jti`")
