"""Where a token stands in the request: in one Authorization header, after Bearer."""

from collections.abc import Awaitable, Callable
from urllib.parse import urlencode

import pytest

from devkit.forge import Forge

Check = Callable[..., Awaitable[None]]

# What the two headers hold; `ada` and `bob` become good tokens.
PAIRS = [
    ("Bearer ada", "Bearer ada"),
    ("Bearer ada", "Bearer bob"),
    ("Bearer ada", "Bearer junk"),
    ("Bearer junk", "Bearer ada"),
    ("Bearer ada", "Basic YWRhOmFkYQ=="),
    ("Basic YWRhOmFkYQ==", "Bearer ada"),
    ("Bearer ada", ""),
    ("", "Bearer ada"),
    ("Bearer ada", "Bearer"),
]
NO_BEARER = [
    *("ada", "Basic ada", "Token ada", "JWT ada", "DPoP ada", "ada Bearer", "", "Bearer"),
    *("Bearerada", "Bearer\tada", "Bearer=ada", "Bearer:ada", "Bearer: ada", "B\u00e9arer ada"),
    *('"Bearer" ada', 'Bearer "ada"', "Bearer Bearer ada", "Bearer ada junk"),
    *("Bearer ada, Bearer bob", "Bearer ada,", "Bearer ada;", "Bearer token=ada"),
]
BEARERS = ["Bearer", "bearer", "BEARER", "bEaReR", "Bearer ", "bearer   "]
NAMES = ("token", "access_token", "authorization", "Authorization", "jwt", "bearer", "id_token")
HEADERS = (
    *("X-Access-Token", "X-Authorization", "Proxy-Authorization", "X-Forwarded-Access-Token"),
    *("X-Auth-Token", "X-Forwarded-Authorization", "X-Original-Authorization", "Authentication"),
    *("Authorization_", "X-User-Id", "X-Identity", "X-Forwarded-User"),
)


def _filled(text: str, forge: Forge) -> tuple[bytes, bytes]:
    for user in ("ada", "bob"):
        text = text.replace(user, forge.token(sub=user))
    return b"authorization", text.encode()


@pytest.mark.spec("ABUSE-15")
@pytest.mark.parametrize("pair", PAIRS, ids=" + ".join)
async def test_two_authorization_headers_are_refused(
    refused_request: Check, forge: Forge, pair: tuple[str, str]
) -> None:
    await refused_request([_filled(text, forge) for text in pair])


@pytest.mark.spec("ABUSE-16")
@pytest.mark.parametrize("text", NO_BEARER)
async def test_a_header_other_than_bearer_and_one_token_is_refused(
    refused_request: Check, forge: Forge, text: str
) -> None:
    await refused_request([_filled(text, forge)])


@pytest.mark.spec("ABUSE-16")
@pytest.mark.parametrize("by", ["EdDSA", "HS256"])
@pytest.mark.parametrize("scheme", BEARERS)
async def test_bearer_may_be_in_any_case(
    accepted_request: Check, forge: Forge, scheme: str, by: str
) -> None:
    await accepted_request([(b"authorization", f"{scheme} {forge.token(by)}".encode())])


@pytest.mark.spec("ABUSE-17")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("prefix", ["", "Bearer "])
async def test_a_token_in_the_query_is_not_read(
    refused_request: Check, good: str, name: str, prefix: str
) -> None:
    await refused_request([], params={name: f"{prefix}{good}"})


@pytest.mark.spec("ABUSE-17")
@pytest.mark.parametrize("name", NAMES)
async def test_a_token_in_the_query_mends_no_bad_header(
    refused_request: Check, good: str, name: str
) -> None:
    await refused_request([(b"authorization", b"Bearer a.b.c")], params={name: good})


@pytest.mark.spec("ABUSE-17")
@pytest.mark.parametrize("name", NAMES)
async def test_a_token_in_the_body_is_not_read(
    refused_request: Check, good: str, name: str
) -> None:
    form = [(b"content-type", b"application/x-www-form-urlencoded")]

    await refused_request(form, method="POST", content=urlencode({name: good}))


@pytest.mark.spec("ABUSE-17")
@pytest.mark.parametrize("prefix", ["", "Bearer "])
@pytest.mark.parametrize("name", HEADERS)
async def test_a_token_in_another_header_is_not_read(
    refused_request: Check, good: str, name: str, prefix: str
) -> None:
    await refused_request([(name.encode(), f"{prefix}{good}".encode())])
