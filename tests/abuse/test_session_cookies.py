"""Session cookies: in no other place than the cookie, by nobody else, and from no other page."""

import secrets
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from httpx import AsyncClient
from jwt.algorithms import ECAlgorithm, OKPAlgorithm

from devkit.forge import Forge, SigningKey, decode, encode, to_json, with_signature
from devkit.stack import Stack

Check = Callable[..., Awaitable[None]]
Cookie = Callable[..., str]
NAME = "better-auth.session_data"
SECURE = f"__Secure-{NAME}"
KEYS = ("EdDSA", "ES256", "ES384", "ES512", "RS256", "PS512")


@pytest.fixture
def cookie(forge: Forge) -> Cookie:
    """Make the cookie that Better Auth would write for Ada, but for what is given.

    By HS256 in the form of the secret, else in the form of a JWKS key; `session` and `user` are
    merged into, `...` leaves a claim out.
    """

    def make(
        by: str | SigningKey = "HS256", header: dict[str, Any] | None = None, **changes: Any
    ) -> str:
        key = forge.keys[by] if isinstance(by, str) else by
        now = datetime.now(UTC)
        session = {
            "id": "session-1",
            "userId": "ada",
            "token": secrets.token_hex(16),
            "createdAt": (now - timedelta(hours=1)).isoformat(),
            "expiresAt": (now + timedelta(days=7)).isoformat(),
        }
        user = {"id": "ada", "email": "ada@example.com"}
        claims: dict[str, Any] = {
            "session": session | changes.pop("session", {}),
            "user": user | changes.pop("user", {}),
            "exp": int(time.time()) + 300,
            **dict.fromkeys(("sub", "iss", "aud"), ...),
        }
        members: dict[str, Any] = {"kid": ...}
        if key.algorithm != "HS256":
            claims |= {"sub": "ada", "iss": forge.origin, "aud": "better-auth:session-cache"}
            members = {"typ": "better-auth.session-cache+jwt"}
        return forge.token(key, {**members, **(header or {})}, **{**claims, **changes})

    return make


@pytest.mark.spec("ABUSE-21")
@pytest.mark.parametrize("by", ["HS256", *KEYS])
async def test_a_cookie_as_better_auth_writes_it_is_adas(
    accepted_cookie: Check, cookie: Cookie, by: str
) -> None:
    await accepted_cookie(cookie(by))


@pytest.mark.spec("ABUSE-20")
@pytest.mark.parametrize("by", ["HS256", *KEYS])
async def test_a_cookie_is_no_bearer_token_before_and_after_it_let_in(
    refused: Check, accepted_cookie: Check, cookie: Cookie, by: str
) -> None:
    value = cookie(by)

    await refused(value)
    await accepted_cookie(value)
    await refused(value)


@pytest.mark.spec("ABUSE-20")
@pytest.mark.parametrize("by", ["HS256", *KEYS])
async def test_a_bearer_token_is_no_cookie_before_and_after_it_let_in(
    refused_cookie: Check, accepted: Check, forge: Forge, by: str
) -> None:
    token = forge.token(by)

    await refused_cookie(token)
    await accepted(token)
    await refused_cookie(token)


@pytest.mark.spec("ABUSE-20")
@pytest.mark.parametrize(
    "text",
    ["session_cookie:{}", "cookie {}", "{}; a", f"{NAME}={{}}", "{}, {}", "session_cookie {}"],
)
async def test_no_words_around_a_cookie_make_it_a_bearer_token(
    refused_request: Check, accepted_cookie: Check, cookie: Cookie, text: str
) -> None:
    value = cookie()
    await accepted_cookie(value)

    await refused_request([(b"authorization", f"Bearer {text.replace('{}', value)}".encode())])


@pytest.mark.spec("ABUSE-20")
@pytest.mark.parametrize(
    "name",
    [
        *("session_data", "better-auth.session_token", "better-auth.session", "session", "token"),
        *("__Host-better-auth.session_data", "__secure-better-auth.session_data", "jwt"),
        *("Better-Auth.session_data", "better-auth_session_data", "better-auth.session_data.x"),
        *(f"better-auth.session_data.{'9' * 5000}", "better-auth.session_data.100"),
        *("better-auth.session_data.00", "better-auth.session_data.-0", "better-auth.account_data"),
    ],
)
async def test_a_cookie_of_another_name_is_not_read(
    refused_request: Check, cookie: Cookie, name: str
) -> None:
    await refused_request([(b"cookie", f"{name}={cookie()}".encode())])


USERS: list[Any] = [
    "bob",
    "",
    " ",
    None,
    1,
    True,
    ["ada"],
    {"id": "ada"},
    "ad\u0430",
    "ADA",
    "ada\x00",
]


@pytest.mark.spec("ABUSE-21")
@pytest.mark.parametrize("by", ["HS256", "EdDSA"])
@pytest.mark.parametrize("user", USERS, ids=repr)
async def test_another_user_in_one_of_its_places_makes_it_nobodys(
    refused_cookie: Check, cookie: Cookie, by: str, user: Any
) -> None:
    await refused_cookie(cookie(by, user={"id": user}))
    await refused_cookie(cookie(by, session={"userId": user}))
    await refused_cookie(cookie("EdDSA", sub=user))
    if by == "HS256":
        await refused_cookie(cookie(by, sub=user))


@pytest.mark.spec("ABUSE-21")
@pytest.mark.parametrize("by", ["HS256", "EdDSA"])
@pytest.mark.parametrize(
    "changes",
    [
        *(
            {"session": {"expiresAt": value}}
            for value in ("2020-01-01T00:00:00Z", "", "never", 2**40)
        ),
        *({"session": {"id": value}} for value in (None, "", 1, "x" * 256)),
        *({"exp": value} for value in (..., None, 1, "9999999999", 2**53 * 2, 10**13)),
        {"nbf": 2**40},
        {"iat": 2**40},
    ],
    ids=repr,
)
async def test_an_ended_or_odd_session_is_nobodys(
    refused_cookie: Check, cookie: Cookie, by: str, changes: dict[str, Any]
) -> None:
    await refused_cookie(cookie(by, **changes))


@pytest.mark.spec("ABUSE-21")
@pytest.mark.parametrize("by", ["HS256", "EdDSA"])
async def test_another_payload_under_the_same_signature_is_nobodys(
    refused_cookie: Check, cookie: Cookie, by: str
) -> None:
    header, claims, signature = cookie(by).split(".")
    changed = encode(decode(claims).replace(b'"ada"', b'"bob"'))

    await refused_cookie(f"{header}.{changed}.{signature}")
    await refused_cookie(f"{header}.{claims}.{encode(bytes(32))}")
    await refused_cookie(f"{header}.{claims}.")
    await refused_cookie(f"{header}.{claims}")
    await refused_cookie(f"{encode(to_json({'alg': 'none'}))}.{claims}.{signature}")


@pytest.mark.spec("ABUSE-21")
async def test_a_foreign_secret_or_key_makes_it_nobodys(
    refused_cookie: Check, cookie: Cookie, forge: Forge
) -> None:
    foreign = secrets.token_bytes(48)
    await refused_cookie(cookie(SigningKey("HS256", foreign)))
    for name, algorithm in (("EdDSA", OKPAlgorithm), ("ES256", ECAlgorithm)):
        public = algorithm.to_jwk(forge.keys[name].private.public_key())
        await refused_cookie(cookie(SigningKey("HS256", public.encode())))
    secret = forge.keys["HS256"].private
    confused = with_signature(cookie("EdDSA"), SigningKey("HS256", secret).sign(b"x"))
    await refused_cookie(confused)
    await refused_cookie(
        cookie(SigningKey("HS256", secret), {"typ": "better-auth.session-cache+jwt"})
    )
    await refused_cookie(cookie(SigningKey("HS256", secret), {"kid": "key-EdDSA"}))
    await refused_cookie(cookie("EdDSA", {"typ": "JWT"}))
    await refused_cookie(cookie("EdDSA", {"typ": ...}))
    await refused_cookie(cookie("weak"))


@pytest.mark.spec("ABUSE-21")
@pytest.mark.parametrize(
    "form",
    [
        *(f"{NAME}=%s; {NAME}=%s", f"{SECURE}=%s; {SECURE}=%s", f"{NAME}=junk; {NAME}=%s"),
        *(f"{NAME}.0=%s; {NAME}.0=%s", f"{NAME}.1=%s", f"{NAME}.0=%s; {NAME}.2=x"),
        *(f"{NAME}.0=%s; {NAME}.1=x", f"{NAME}.0=x; {NAME}.1=%s", f"{SECURE}=junk; {NAME}=%s"),
        *(f"{NAME}.1=%s; {NAME}.2=", f"{NAME}=junk; {NAME}.0=%s", f"{NAME}.\u0660=%s"),
    ],
)
async def test_cookies_repeated_missing_or_beside_another_are_nobodys(
    refused_request: Check, cookie: Cookie, form: str
) -> None:
    await refused_request([(b"cookie", form.replace("%s", cookie()).encode())])


@pytest.mark.spec("ABUSE-22")
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "MKCOL"])
@pytest.mark.parametrize(
    "origins",
    [
        *([], [""], ["null"], ["https://evil.example"], ["https://app.test.evil.example"]),
        *(["http://app.test"], ["https://app.test:444"], ["https://app.test/"], ["//app.test"]),
        *(["https://APP.test"], ["https://app.test#"], ["https://app.test\\"], ["app.test"]),
        *(["https://app.test", "https://app.test"], ["https://evil.example", "https://app.test"]),
        *(["https://app.test, https://evil.example"], ["https://app.test null"]),
    ],
    ids=repr,
)
async def test_a_cookie_from_no_listed_page_changes_nothing(
    connect: Callable[..., Awaitable[AsyncClient]],
    stack: Stack,
    record: Callable[..., None],
    cookie: Cookie,
    method: str,
    origins: list[str],
) -> None:
    client = await connect(stack.url, {"Cookie": f"{NAME}={cookie()}"})
    headers = [("Origin", origin) for origin in origins]

    answer = await client.request(method, "/api/v1/tasks", json={"title": "x"}, headers=headers)

    record("ABUSE-22", right=False, accepted=answer.status_code != 403)
    assert (answer.status_code, answer.json()["code"]) == (403, "origin_forbidden")


@pytest.mark.spec("ABUSE-22")
async def test_a_cookie_from_the_listed_page_does(
    connect: Callable[..., Awaitable[AsyncClient]],
    stack: Stack,
    frontend: str,
    record: Callable[..., None],
    cookie: Cookie,
) -> None:
    client = await connect(stack.url, {"Cookie": f"{NAME}={cookie()}", "Origin": frontend})

    answer = await client.post("/api/v1/tasks", json={"title": "x"})

    record("ABUSE-22", right=True, accepted=answer.status_code == 201)
    assert answer.status_code == 201
