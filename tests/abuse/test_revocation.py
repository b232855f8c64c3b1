"""Revoked tokens: dead in every form, and nobody else's with them."""

import secrets
from collections.abc import Awaitable, Callable

import pytest
from httpx import AsyncClient

from devkit.forge import Forge, encode, second_signature, signed, to_json, with_signature
from devkit.stack import Stack

Check = Callable[..., Awaitable[None]]
LOGOUT, LOGOUT_ALL = "/api/v1/auth/logout", "/api/v1/auth/logout-all"


@pytest.fixture
def user() -> str:
    return f"leaver-{secrets.token_hex(8)}"


@pytest.fixture
async def log_out(
    connect: Callable[..., Awaitable[AsyncClient]], stack: Stack
) -> Callable[..., Awaitable[None]]:
    client = await connect(stack.url, {})

    async def log_out(token: str, path: str = LOGOUT) -> None:
        answer = await client.post(path, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 204

    return log_out


def _request(token: str) -> list[tuple[bytes, bytes]]:
    return [(b"authorization", f"Bearer {token}".encode())]


@pytest.mark.spec("ABUSE-23")
@pytest.mark.parametrize("path", [LOGOUT, LOGOUT_ALL])
@pytest.mark.parametrize("by", ["HS256", "EdDSA", "RS256", "PS384", "ES256", "ES384", "ES512"])
async def test_a_revoked_token_is_refused_by_every_kind_of_key(
    refused_request: Check, forge: Forge, log_out: Check, user: str, by: str, path: str
) -> None:
    token = forge.token(by, sub=user)
    await log_out(token, path)

    await refused_request(_request(token))


@pytest.mark.spec("ABUSE-23")
@pytest.mark.parametrize("by", ["ES256", "ES384", "ES512"])
@pytest.mark.parametrize("second_first", [True, False])
async def test_the_other_signature_of_a_revoked_token_is_refused(
    refused_request: Check, forge: Forge, log_out: Check, user: str, by: str, second_first: bool
) -> None:
    token = forge.token(by, sub=user)
    twins = [token, with_signature(token, second_signature(token, by))]
    if second_first:
        twins.reverse()
    await log_out(twins[0])

    for twin in twins:
        await refused_request(_request(twin))


@pytest.mark.spec("ABUSE-23")
@pytest.mark.parametrize("by", ["ES256", "PS256"])
async def test_the_same_token_signed_once_more_is_refused(
    refused_request: Check, forge: Forge, log_out: Check, user: str, by: str
) -> None:
    token = forge.token(by, sub=user)
    header, claims, _ = token.split(".")
    again = signed(forge.keys[by], header, claims)
    await log_out(token)

    assert again != token
    await refused_request(_request(again))


@pytest.mark.spec("ABUSE-23")
async def test_the_same_claims_in_another_spelling_are_refused(
    refused_request: Check, forge: Forge, log_out: Check, user: str
) -> None:
    key, header = forge.keys["HS256"], encode(to_json({"alg": "HS256"}))
    claims = forge.claims(sub=user)
    spelled = to_json(dict(reversed(claims.items()))).replace(b'"sub"', b'"s\\u0075b"')
    await log_out(signed(key, header, encode(to_json(claims))))

    await refused_request(_request(signed(key, header, encode(spelled))))


@pytest.mark.spec("ABUSE-23")
async def test_a_token_with_a_revoked_jti_is_refused_whatever_else_it_says(
    refused_request: Check, forge: Forge, log_out: Check, user: str
) -> None:
    await log_out(forge.token(sub=user, jti="one"))

    await refused_request(_request(forge.token("HS256", sub=user, jti="one", scope="more")))


@pytest.mark.spec("ABUSE-23")
@pytest.mark.parametrize("path", [LOGOUT, LOGOUT_ALL])
async def test_nobody_logs_somebody_else_out(
    accepted_request: Check, forge: Forge, log_out: Check, user: str, path: str
) -> None:
    await log_out(forge.token(sub=user, jti="shared", victim="ada"), path)

    await accepted_request(_request(forge.token(jti="shared")))
    await accepted_request(_request(forge.token()))
