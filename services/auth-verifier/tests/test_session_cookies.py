"""The two session cookies of Better Auth that are JWTs, each accepted in exactly its shape."""

import secrets
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest
from structlog.testing import capture_logs

MakeToken = Callable[..., str]
# The `Verify` of conftest.py, which cannot be imported from.
Verify: TypeAlias = Any

NOW = 1_800_000_000
ORIGIN = "https://app.example.com"
FOUR_HUNDRED_DAYS = 400 * 24 * 60 * 60
NO_OBJECTS: list[Any] = [..., None, "s1", []]
# 2027-01-15T07:00:00Z, an hour before NOW.
SESSION_BEGAN = NOW - 3600


@pytest.fixture(params=["HS256", "EdDSA"])
def either(request: pytest.FixtureRequest, cookie: MakeToken, keyed_cookie: MakeToken) -> MakeToken:
    """Make a cookie of the one or the other form."""
    return cookie if request.param == "HS256" else keyed_cookie


@pytest.mark.spec("AUTH-35", "AUTH-36", "AUTH-39")
async def test_a_cookie_says_whose_session_it_is_and_nothing_else_of_it(
    verify: Verify, either: MakeToken
) -> None:
    response = await verify.cookie(either())

    verdict = response.json()
    assert response.status_code == 200
    assert len(verdict.pop("token_key")) == len(verdict.pop("trust_version")) == 64
    assert verdict.pop("key_id") in {None, "key-EdDSA"}
    assert verdict == {
        "user_id": "u1",
        "issuer": "better-auth",
        "expires_at": NOW + 300,
        "not_before": None,
        "issued_at": SESSION_BEGAN,
        "token_ends_at": NOW + FOUR_HUNDRED_DAYS,
        "user_tokens_end_at": NOW + FOUR_HUNDRED_DAYS,
    }


@pytest.mark.spec("AUTH-36")
@pytest.mark.parametrize("by", ["ES256", "ES512", "RS256", "PS256"])
async def test_a_cookie_may_be_signed_by_any_key_of_the_jwks(
    verify: Verify, keyed_cookie: MakeToken, by: str
) -> None:
    assert (await verify.cookie(keyed_cookie(by))).status_code == 200


@pytest.mark.spec("AUTH-36")
@pytest.mark.parametrize(
    ("url", "iss"),
    [
        ("https://app.example.com", "https://app.example.com"),
        ("https://app.example.com/", "https://app.example.com"),
        ("https://app.example.com/", "https://app.example.com/"),
        ("https://app.example.com/auth", "https://app.example.com/auth"),
        ("https://app.example.com/auth", "https://app.example.com"),
    ],
)
async def test_the_issuer_of_a_cookie_may_be_the_base_url_as_it_was_configured(
    start: Any, keyed_cookie: MakeToken, url: str, iss: str
) -> None:
    verify = await start(better_auth_url=url)

    assert (await verify.cookie(keyed_cookie(iss=iss))).status_code == 200


@pytest.mark.spec("AUTH-35", "AUTH-36")
@pytest.mark.parametrize(
    "claims",
    [
        *({"session": value} for value in NO_OBJECTS),
        *({"user": value} for value in NO_OBJECTS),
        *({"user": {"id": value}} for value in (..., None, 1, "", " ", "null", "a\nb", "u2")),
        *({"session": {"userId": value}} for value in (..., None, 1, "", "u2")),
        *({"session": {"id": value}} for value in (..., None, 1, "", "x" * 256, "a\x00")),
        *(
            {"session": {name: value}}
            for name in ("expiresAt", "createdAt")
            for value in (..., None, NOW + 900, "", "soon", "2027-01-22", "2027-01-22T07:00:00")
        ),
        *({"exp": value} for value in (..., None, "1", True, NOW * 1000)),
        {"iat": NOW + 31},
    ],
    ids=repr,
)
async def test_a_cookie_of_another_shape_is_refused(
    verify: Verify, either: MakeToken, claims: dict[str, Any]
) -> None:
    response = await verify.cookie(either(**claims))

    assert (response.status_code, response.json()["code"]) == (401, "token_invalid")


@pytest.mark.spec("AUTH-35")
@pytest.mark.parametrize("claims", [{"sub": "u1"}, {"iss": ORIGIN}, {"aud": ORIGIN}], ids=repr)
async def test_a_cookie_by_secret_has_no_claims_of_access_tokens(
    verify: Verify, cookie: MakeToken, claims: dict[str, Any]
) -> None:
    assert (await verify.cookie(cookie(**claims))).json()["reason"] == "cookie"


@pytest.mark.spec("AUTH-35")
@pytest.mark.parametrize(
    "header",
    [{"typ": "JWT"}, {"kid": "1"}, {"typ": "better-auth.session-cache+jwt"}, {"x": 1}],
    ids=repr,
)
async def test_a_cookie_by_secret_has_exactly_the_header_that_better_auth_writes(
    verify: Verify, cookie: MakeToken, header: dict[str, Any]
) -> None:
    assert (await verify.cookie(cookie(header=header))).json()["reason"] == "cookie"


@pytest.mark.spec("AUTH-36")
@pytest.mark.parametrize("header", [{"typ": ...}, {"typ": "JWT"}, {"kid": ...}], ids=repr)
async def test_a_cookie_by_key_has_the_type_and_a_kid(
    verify: Verify, keyed_cookie: MakeToken, header: dict[str, Any]
) -> None:
    assert (await verify.cookie(keyed_cookie(header=header))).json()["reason"] == "cookie"


@pytest.mark.spec("AUTH-36")
@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"aud": ORIGIN}, "cookie"),
        ({"aud": ["better-auth:session-cache"]}, "cookie"),
        ({"aud": ...}, "cookie"),
        ({"sub": "u2"}, "cookie"),
        ({"sub": ...}, "cookie"),
        ({"iss": "https://evil.example"}, "issuer"),
        ({"iss": f"{ORIGIN}/auth"}, "issuer"),
        ({"iss": [ORIGIN]}, "issuer"),
        ({"iss": ...}, "issuer"),
    ],
    ids=repr,
)
async def test_a_cookie_by_key_is_meant_for_the_cache_by_our_issuer_about_its_user(
    verify: Verify, keyed_cookie: MakeToken, claims: dict[str, Any], reason: str
) -> None:
    response = await verify.cookie(keyed_cookie(**claims))

    assert (response.status_code, response.json()["reason"]) == (401, reason)


@pytest.mark.spec("AUTH-35", "AUTH-36")
@pytest.mark.parametrize(
    "claims",
    [
        {"exp": NOW},
        {"session": {"expiresAt": "2027-01-15T08:00:00.000Z"}},
        {"session": {"expiresAt": "2027-01-15T10:00:00.000+02:00"}},
    ],
    ids=repr,
)
async def test_a_cookie_ends_with_its_own_time_and_with_its_session(
    verify: Verify, either: MakeToken, claims: dict[str, Any]
) -> None:
    response = await verify.cookie(either(**claims))

    assert (response.status_code, response.json()["code"]) == (401, "token_expired")


@pytest.mark.spec("AUTH-35")
async def test_a_verdict_on_a_cookie_ends_with_the_session_if_that_is_sooner(
    verify: Verify, either: MakeToken
) -> None:
    response = await verify.cookie(either(session={"expiresAt": "2027-01-15T08:00:09.900Z"}))

    assert response.json()["expires_at"] == NOW + 9


@pytest.mark.spec("AUTH-37")
async def test_a_cookie_is_no_bearer_token(verify: Verify, either: MakeToken) -> None:
    response = await verify(either())

    assert (response.status_code, response.json()["reason"]) == (401, "cookie")
    assert "leave it in its cookie" in response.json()["detail"]


@pytest.mark.spec("AUTH-37")
@pytest.mark.parametrize("by", ["HS256", "EdDSA"])
async def test_a_bearer_token_is_no_cookie(verify: Verify, token: MakeToken, by: str) -> None:
    response = await verify.cookie(token(by))

    assert (response.status_code, response.json()["reason"]) == (401, "cookie")


@pytest.mark.spec("AUTH-35", "AUTH-36")
async def test_a_cookie_by_another_secret_or_key_is_refused(
    verify: Verify,
    cookie: MakeToken,
    keyed_cookie: MakeToken,
    new_key: Callable[[str], Any],
    keys: dict[str, Any],
) -> None:
    foreign = type(keys["EdDSA"])("HS256", secrets.token_bytes(48))

    by_secret = await verify.cookie(cookie(foreign))
    by_key = await verify.cookie(keyed_cookie(new_key("key-EdDSA")))

    assert {by_secret.json()["reason"], by_key.json()["reason"]} == {"signature"}


@pytest.mark.spec("AUTH-40")
async def test_a_cookie_says_what_to_set_where_better_auth_is_not_configured(
    start: Any, cookie: MakeToken, write_issuers: Any
) -> None:
    text = '[other]\niss = ["https://other.example"]\njwks_url = "https://other.example"'
    alone = dict.fromkeys(("secret", "url", "jwks_url"), ...)
    verify = await start(
        auth_issuers_file=write_issuers(text),
        **{f"better_auth_{name}": value for name, value in alone.items()},
    )

    response = await verify.cookie(cookie())

    assert (response.status_code, response.json()["reason"]) == (401, "unconfigured")
    assert "BETTER_AUTH_SECRET" in response.json()["detail"]


@pytest.mark.spec("AUTH-40")
async def test_a_cookie_by_key_names_the_url_to_set_where_there_is_no_jwks(
    start: Any, keyed_cookie: MakeToken
) -> None:
    verify = await start(better_auth_url=..., better_auth_jwks_url=...)

    response = await verify.cookie(keyed_cookie())

    assert (response.status_code, response.json()["reason"]) == (401, "unconfigured")
    assert "BETTER_AUTH_URL" in response.json()["detail"]


@pytest.mark.spec("AUTH-40")
async def test_the_token_of_a_mail_verification_link_is_named(
    verify: Verify, token: MakeToken
) -> None:
    link = {"email": "a@b.example", "sub": ..., "iss": ..., "aud": ...}

    response = await verify(token(**link))

    assert "e-mail verification link" in response.json()["detail"]


@pytest.mark.spec("AUTH-40")
async def test_an_id_token_is_told_that_an_access_token_is_wanted(
    verify: Verify, token: MakeToken
) -> None:
    response = await verify(token("EdDSA", aud="client-of-an-oidc-provider"))

    assert (response.json()["reason"], response.status_code) == ("audience", 401)
    assert "An ID token" in response.json()["detail"]


@pytest.mark.spec("AUTH-39")
@pytest.mark.parametrize("claims", [{}, {"user": {"id": "u2"}}, {"session": {"id": 1}}], ids=repr)
async def test_the_session_token_reaches_no_answer_and_no_log(
    verify: Verify, either: MakeToken, claims: dict[str, Any]
) -> None:
    session_token = secrets.token_hex(16)
    session = {"token": session_token, **claims.get("session", {})}
    text = either(**{**claims, "session": session})

    with capture_logs() as lines:
        response = await verify.cookie(text)

    said = f"{lines}{response.text}{response.headers}"
    assert not [part for part in (session_token, *text.split(".")) if part in said]
