"""Clerk, Auth0, Supabase and Keycloak: the examples of docs/issuers.md, tokens like theirs."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from httpx import Response

MakeToken = Callable[..., str]
Verify = Callable[[str], Awaitable[Response]]

NOW = 1_800_000_000
TEN_YEARS = 10 * 365 * 24 * 60 * 60
SUPABASE_ISS = "https://abcdefghijklmnopqrst.supabase.co/auth/v1"
USER = "5b9e2c1e-2f0b-4a53-9d8f-7c1f3c1f2a10"
DOCUMENT = (Path(__file__).parents[3] / "docs" / "issuers.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"(?ms)^## ([^\n]+)\n(?:(?!^## ).)*?^```toml\n(.*?)^```", DOCUMENT))


@dataclass(frozen=True)
class Shape:
    """What a token of one issuer looks like: `...` leaves out what our own have."""

    example: str
    algorithm: str
    header: dict[str, Any]
    claims: dict[str, Any]


CLERK = Shape(
    "Clerk",
    "RS256",
    {"cat": "cl_B7d4PD111AAA", "typ": "JWT"},
    {
        "azp": "https://app.example.com",
        "aud": ...,
        "exp": NOW + 60,
        "fva": [0, -1],
        "iss": "https://example.clerk.accounts.dev",
        "nbf": NOW - 10,
        "sid": "sess_2pQ",
        "sub": "user_2pQ",
        "v": 2,
    },
)
AUTH0 = Shape(
    "Auth0",
    "RS256",
    {"typ": "JWT"},
    {
        "iss": "https://example.eu.auth0.com/",
        "sub": "google-oauth2|1081",
        "aud": ["https://tasks.example.com", "https://example.eu.auth0.com/userinfo"],
        "exp": NOW + 86_400,
        "scope": "openid profile",
        "azp": "my_client_id",
    },
)
AUTH0_RFC_9068 = replace(
    AUTH0,
    header={"typ": "at+jwt"},
    claims={**AUTH0.claims, "aud": "https://tasks.example.com", "jti": "8xv"},
)
SUPABASE = Shape(
    "Supabase, with signing keys",
    "ES256",
    {"typ": "JWT"},
    {
        "aal": "aal1",
        "amr": [{"method": "password", "timestamp": NOW}],
        "app_metadata": {"provider": "email", "providers": ["email"]},
        "aud": "authenticated",
        "email": "ada@example.com",
        "exp": NOW + 3600,
        "is_anonymous": False,
        "iss": SUPABASE_ISS,
        "phone": "",
        "role": "authenticated",
        "session_id": "0d1f",
        "sub": USER,
        "user_metadata": {},
    },
)
SUPABASE_BY_SECRET = replace(SUPABASE, example="Supabase, with the JWT secret", algorithm="HS256")
KEYCLOAK = Shape(
    "Keycloak",
    "RS256",
    {"typ": "JWT"},
    {
        "exp": NOW + 300,
        "auth_time": NOW - 5,
        "jti": "onrtac:7c1f",
        "iss": "https://sso.example.com/realms/example",
        "aud": "account",
        "sub": USER,
        "typ": "Bearer",
        "azp": "my-frontend",
        "sid": "f2a1",
        "acr": "1",
        "realm_access": {"roles": ["offline_access"]},
        "scope": "openid email profile",
    },
)
KEYCLOAK_WITHOUT_AUDIENCE = replace(
    KEYCLOAK, example="Keycloak, without an audience", claims={**KEYCLOAK.claims, "aud": ...}
)


@pytest.fixture
def send(
    start: Any,
    token: MakeToken,
    keys: dict[str, Any],
    issuer: Any,
    secret: str,
    write_issuers: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Awaitable[Response]]:
    """Send a token of a shape, with changed claims, to a verifier that has its example alone."""

    async def send(shape: Shape, **claims: Any) -> Response:
        monkeypatch.setenv("SUPABASE_JWT_SECRET", secret)
        # As Keycloak does: keys for encryption stand first, with the same kind of number.
        encryption = keys["RS256"].jwk(kid="enc", use="enc", alg="RSA-OAEP")
        issuer.publish(encryption, *(keys[name].jwk(use="sig") for name in ("RS256", "ES256")))
        alone = dict.fromkeys(("secret", "url", "jwks_url"), ...)
        verify: Verify = await start(
            auth_issuers_file=write_issuers(EXAMPLES[shape.example]),
            **{f"better_auth_{name}": value for name, value in alone.items()},
        )
        return await verify(token(shape.algorithm, shape.header, **{**shape.claims, **claims}))

    return send


@pytest.mark.spec("AUTH-25", "AUTH-32")
@pytest.mark.parametrize(
    ("shape", "user_id"),
    [
        (CLERK, "clerk:user_2pQ"),
        (AUTH0, "auth0:google-oauth2|1081"),
        (AUTH0_RFC_9068, "auth0:google-oauth2|1081"),
        (SUPABASE, f"supabase:{USER}"),
        (SUPABASE_BY_SECRET, f"supabase:{USER}"),
        (KEYCLOAK, f"keycloak:{USER}"),
        (KEYCLOAK_WITHOUT_AUDIENCE, f"keycloak:{USER}"),
    ],
)
async def test_an_access_token_is_accepted(
    send: Callable[..., Awaitable[Response]], shape: Shape, user_id: str
) -> None:
    response = await send(shape)

    assert response.status_code == 200, response.json()
    assert response.json()["user_id"] == user_id
    assert response.json()["issuer"] == user_id.partition(":")[0]


NO_SUB: dict[str, Any] = {"sub": ..., "role": "anon", "aud": "authenticated"}
REFUSED = [
    # Another application of the same issuer.
    (CLERK, {"azp": "https://evil.example"}, "`azp`"),
    (CLERK, {"azp": ...}, "`azp`"),
    (KEYCLOAK, {"azp": "other-frontend"}, "`azp`"),
    (AUTH0, {"aud": ["https://other.example.com"]}, "`aud`"),
    # ID tokens: their audience is the application.
    (CLERK, {"aud": "client_id"}, "`aud`"),
    (AUTH0, {"aud": "my_client_id"}, "`aud`"),
    (KEYCLOAK, {"aud": "my-frontend", "typ": "ID"}, "`aud`"),
    (KEYCLOAK_WITHOUT_AUDIENCE, {"aud": "my-frontend", "typ": "ID"}, "`aud`"),
    # Another tenant, or the same one spelled otherwise.
    (AUTH0, {"iss": "https://example.eu.auth0.com"}, "`iss`"),
    # Keys of a Supabase project: for ten years, of nobody, and with an `iss` of their own.
    (SUPABASE, {"aud": ...}, "`aud`"),
    (SUPABASE_BY_SECRET, {**NO_SUB, "iss": "supabase", "exp": NOW + TEN_YEARS}, "`iss`"),
    (SUPABASE_BY_SECRET, {**NO_SUB, "exp": NOW + TEN_YEARS}, "max_token_lifetime"),
    (SUPABASE_BY_SECRET, NO_SUB, "`sub`"),
    (SUPABASE_BY_SECRET, {**NO_SUB, "role": "service_role"}, "`sub`"),
]


@pytest.mark.spec("AUTH-29", "AUTH-32")
@pytest.mark.parametrize(("shape", "claims", "naming"), REFUSED)
async def test_what_is_no_access_token_for_us_is_refused(
    send: Callable[..., Awaitable[Response]], shape: Shape, claims: dict[str, Any], naming: str
) -> None:
    response = await send(shape, **claims)

    assert (response.status_code, response.json()["code"]) == (401, "token_invalid")
    assert naming in response.json()["detail"]


@pytest.mark.spec("AUTH-32")
def test_every_example_of_the_document_is_tried() -> None:
    shapes = (CLERK, AUTH0, SUPABASE, SUPABASE_BY_SECRET, KEYCLOAK, KEYCLOAK_WITHOUT_AUDIENCE)

    assert EXAMPLES.keys() == {shape.example for shape in shapes}
    assert DOCUMENT.count("```toml") == len(EXAMPLES)
