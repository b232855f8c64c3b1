"""Which requests bring a token at all, and what is said to those that do not."""

from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from gateway.tests.conftest import FakeVerifier, Gateway

TASKS = "/api/v1/tasks"
SESSION_TOKEN = "wT8pQ2rN5vX1yZ4aB7cD0eF3gH6iJ9kL"


@pytest.mark.spec("AUTH-18")
@pytest.mark.parametrize("path", [TASKS, "/api/v1/me", "/api/alice/tasks", "/api/"])
@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": ""}, {"Authorization": "Bearer"}, {"Authorization": "Basic x"}],
)
async def test_a_request_without_a_bearer_token_is_told_what_to_send(
    gateway: "Gateway", path: str, headers: dict[str, str]
) -> None:
    response = await gateway.get(path, headers=headers)

    assert (response.status_code, response.json()["code"]) == (401, "token_missing")
    assert response.headers["www-authenticate"] == "Bearer"
    assert "Authorization: Bearer" in response.json()["detail"]


@pytest.mark.spec("AUTH-18")
async def test_a_token_in_the_query_string_is_not_read(
    gateway: "Gateway", verifier: "FakeVerifier", token: str
) -> None:
    response = await gateway.get(TASKS, params={"access_token": token, "token": token})

    assert response.json()["code"] == "token_missing"
    assert verifier.asked == []


@pytest.mark.spec("AUTH-18")
@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER ", "bEaReR  "])
async def test_the_scheme_may_be_written_in_any_case(
    gateway: "Gateway", token: str, scheme: str
) -> None:
    response = await gateway.get("/api/v1/me", headers={"Authorization": scheme + token})

    assert response.status_code == 200


@pytest.mark.spec("AUTH-18")
async def test_two_authorization_headers_are_refused_even_when_they_agree(
    gateway: "Gateway", verifier: "FakeVerifier", token: str
) -> None:
    header = ("Authorization", f"Bearer {token}")

    response = await gateway.client.get(TASKS, headers=[header, header])

    assert (response.status_code, response.json()["code"]) == (401, "token_invalid")
    assert "two Authorization headers" in response.json()["detail"]
    assert verifier.asked == []


@pytest.mark.parametrize(
    "token",
    [
        SESSION_TOKEN,
        f"{SESSION_TOKEN}.c2lnbmF0dXJl",
        f"{SESSION_TOKEN}.c2lnbmF0dXJl%3D",
        "a.b.c.d",
        "..",
        "a..c",
        "a.b.c=",
        "a.b.c, Bearer a.b.c",
        "a.b. c",
    ],
)
async def test_what_is_no_jwt_is_refused_unasked_with_the_way_to_one(
    gateway: "Gateway", verifier: "FakeVerifier", token: str
) -> None:
    response = await gateway.get(TASKS, token)

    assert (response.status_code, response.json()["code"]) == (401, "token_invalid")
    assert response.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert "jwt() plugin" in response.json()["detail"]
    assert verifier.asked == []


async def test_a_token_over_16_kb_is_refused_unasked(
    gateway: "Gateway", verifier: "FakeVerifier"
) -> None:
    response = await gateway.get(TASKS, "a.b." + "c" * (16 * 1024 - 3))

    assert (response.status_code, response.json()["code"]) == (401, "token_invalid")
    assert "16 kB" in response.json()["detail"]
    assert verifier.asked == []


async def test_a_token_of_just_16_kb_is_looked_at(
    gateway: "Gateway", verifier: "FakeVerifier", make_token: Callable[..., str]
) -> None:
    token = make_token()
    token += "A" * (16 * 1024 - len(token))

    response = await gateway.me(token)

    assert response.status_code == 200
    assert verifier.asked == [token]


def part(text: bytes) -> str:
    return urlsafe_b64encode(text).rstrip(b"=").decode()


@pytest.mark.spec("AUTH-48")
@pytest.mark.parametrize(
    "header",
    [
        *(b"", b"{", b"[]", b'"HS256"', b"null", b"1", b"\xff", b"[" * 9000),
        *(b"{}", b'{"alg":1}', b'{"alg":null}', b'{"alg":["HS256"]}', b'{"ALG":"HS256"}'),
        *(b'{"alg":"none"}', b'{"alg":"None"}', b'{"alg":"HS512"}', b'{"alg":"hs256"}'),
    ],
)
async def test_a_header_that_names_no_algorithm_we_know_is_refused_unasked(
    gateway: "Gateway", verifier: "FakeVerifier", header: bytes
) -> None:
    response = await gateway.get(TASKS, f"{part(header) or 'A'}.{part(b'{}')}.c2ln")

    assert (response.status_code, response.json()["code"]) == (401, "token_invalid")
    assert verifier.asked == []


@pytest.mark.spec("AUTH-48")
@pytest.mark.parametrize("payload", ["A", "AAAAA", part(b"[]"), part(b"x"), part(b'"{"')])
async def test_a_payload_that_is_no_object_is_refused_unasked(
    gateway: "Gateway", verifier: "FakeVerifier", payload: str
) -> None:
    header = part(b'{"alg":"HS256"}')

    response = await gateway.get(TASKS, f"{header}.{payload}.c2ln")

    assert (response.status_code, response.json()["code"]) == (401, "token_invalid")
    assert verifier.asked == []


@pytest.mark.spec("AUTH-48")
@pytest.mark.parametrize("algorithm", ["HS256", "EdDSA", "Ed25519", "ES512", "RS384", "PS256"])
async def test_every_algorithm_the_verifier_knows_reaches_it(
    gateway: "Gateway", verifier: "FakeVerifier", token: str, algorithm: str
) -> None:
    header = part(b'{\r\n "typ":"JWT", "alg":"%b"}' % algorithm.encode())
    text = f"{header}.{token.partition('.')[2]}"

    await gateway.me(text)

    assert verifier.asked == [text]
