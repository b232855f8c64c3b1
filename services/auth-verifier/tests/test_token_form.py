"""Form and header: what is refused before any claim is read."""

import json
import string
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from httpx import Response

MakeToken = Callable[..., str]
Verify = Callable[[str], Awaitable[Response]]

JSON_HEADER = urlsafe_b64encode(b'{"alg":"HS256"}').decode().rstrip("=")


def assert_invalid(response: Response) -> None:
    assert (response.status_code, response.json()["code"]) == (401, "token_invalid")


@pytest.mark.spec("AUTH-1")
@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("kYk3ZbqMhE0dJ2n7W4tVxPfC8sLrGuA1", id="opaque"),
        pytest.param("kYk3ZbqMhE0dJ2n7W4tVx.PfC8sLrGuA1", id="opaque with a MAC"),
        pytest.param("..", id="empty parts"),
        pytest.param(f"{JSON_HEADER}.e30.", id="no signature"),
        pytest.param(f"{JSON_HEADER}..c2ln", id="no payload"),
        pytest.param(f".{JSON_HEADER}.c2ln", id="no header"),
        pytest.param(f"{JSON_HEADER}.e30.c2ln.c2ln", id="four parts"),
        pytest.param(f"{JSON_HEADER}.a.b.c.d", id="encrypted"),
        pytest.param(f"{JSON_HEADER}.e.c2ln", id="impossible length"),
        pytest.param(f"{JSON_HEADER}.e30.c2l+", id="not the URL alphabet"),
        pytest.param("\ud800", id="half a surrogate pair"),
        pytest.param(f"{JSON_HEADER}.e30.\u0441\u0441\u0441\u0441", id="letters beyond ASCII"),
    ],
)
async def test_a_text_that_is_not_three_base64url_parts_is_refused(
    verify: Verify, text: str
) -> None:
    assert_invalid(await verify(text))


@pytest.mark.spec("AUTH-1")
@pytest.mark.parametrize("written", ["{}=", "{}\n", " {}", "Bearer {}", "{}\x00"])
async def test_a_good_token_with_anything_added_is_refused(
    verify: Verify, token: MakeToken, written: str
) -> None:
    assert_invalid(await verify(written.format(token())))


@pytest.mark.spec("AUTH-1")
async def test_a_second_spelling_of_the_same_signature_is_refused(
    verify: Verify, token: MakeToken
) -> None:
    text = token()
    alphabet = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
    # 32 bytes leave two bits of the last character unused; every writer leaves them zero.
    last = alphabet[alphabet.index(text[-1]) + 1]

    assert_invalid(await verify(text[:-1] + last))


@pytest.mark.spec("AUTH-1")
@pytest.mark.parametrize("part", ["raw_header", "raw_claims"])
@pytest.mark.parametrize(
    "data",
    [
        b"[]",
        b'"text"',
        b"null",
        b"{",
        b'{"alg":"HS256"} x',
        b"\xef\xbb\xbf{}",
        b'{"alg":"HS256","a":"\xff"}',
        b'{"alg":"HS256","alg":"HS256"}',
        b'{"alg":"HS256","a":{"b":1,"b":2}}',
        b'{"alg":"HS256","a":NaN}',
        b'{"alg":"HS256","a":-Infinity}',
        b'{"alg":"HS256","a":' + b"1" * 5000 + b"}",
        b'{"alg":"HS256","a":' + b"[" * 5000 + b"]" * 5000 + b"}",
    ],
)
async def test_a_part_that_is_no_strict_json_object_is_refused(
    verify: Verify, token: MakeToken, part: str, data: bytes
) -> None:
    assert_invalid(await verify(token(**{part: data})))


def of_length(token: MakeToken, length: int) -> str:
    """Make a good token of exactly so many characters."""
    short = length - len(token(pad="", header={"x": ""}))
    candidates = (
        token(pad="p" * (short * 3 // 4 - less), header={"x": "x" * extra})
        for less in range(8)
        for extra in range(8)
    )
    return next(text for text in candidates if len(text) == length)


@pytest.mark.spec("AUTH-1")
async def test_a_token_of_16_kb_is_accepted(verify: Verify, token: MakeToken) -> None:
    response = await verify(of_length(token, 16 * 1024))

    assert response.status_code == 200


@pytest.mark.spec("AUTH-1")
async def test_a_token_over_16_kb_is_refused(verify: Verify, token: MakeToken) -> None:
    response = await verify(of_length(token, 16 * 1024 + 1))

    assert_invalid(response)
    assert "16 kB" in response.json()["detail"]


@pytest.mark.spec("AUTH-3")
async def test_a_header_with_crit_is_refused(verify: Verify, token: MakeToken) -> None:
    response = await verify(token(header={"crit": ["b64"], "b64": True}))

    assert_invalid(response)
    assert "crit" in response.json()["detail"]


@pytest.mark.spec("AUTH-3")
async def test_addresses_and_certificates_in_the_header_are_ignored(
    verify: Verify, token: MakeToken, issuer: Any
) -> None:
    elsewhere = f"{issuer.url}/elsewhere"
    header = {"jku": elsewhere, "x5u": elsewhere, "x5c": ["AAAA"], "jwk": {"kty": "oct"}}

    response = await verify(token("EdDSA", header))

    assert response.status_code == 200
    assert issuer.paths == ["/jwks"]


@pytest.mark.spec("AUTH-3")
async def test_a_key_that_the_token_brings_along_is_not_believed(
    verify: Verify, token: MakeToken, new_key: Any
) -> None:
    own = new_key("key-EdDSA")

    response = await verify(token(own, {"jwk": own.jwk()}))

    assert_invalid(response)


@pytest.mark.spec("AUTH-4")
@pytest.mark.parametrize("kid", ["", "1", "k" * 256, "Schl\u00fcssel 1"])
async def test_a_printable_kid_finds_its_key(
    start: Any, issuer: Any, token: MakeToken, new_key: Any, kid: str
) -> None:
    key = new_key(kid)
    issuer.publish(key.jwk(), new_key("other").jwk())
    verify = await start()

    response = await verify(token(key, {"kid": kid}))

    assert response.json()["key_id"] == kid


@pytest.mark.spec("AUTH-4")
@pytest.mark.parametrize("kid", ["k" * 257, "a\nb", "a\x00", "\ud800", 1, None, ["a"], {}])
@pytest.mark.parametrize("algorithm", ["EdDSA", "HS256"])
async def test_any_other_kid_is_refused(
    verify: Verify, token: MakeToken, algorithm: str, kid: Any
) -> None:
    response = await verify(token(algorithm, {"kid": kid}))

    assert_invalid(response)
    assert "kid" in response.json()["detail"]


@pytest.mark.spec("AUTH-4")
async def test_without_a_kid_the_only_fitting_key_is_taken(
    verify: Verify, token: MakeToken
) -> None:
    response = await verify(token("EdDSA", {"kid": ...}))

    assert response.status_code == 200
    assert response.json()["key_id"] is None


@pytest.mark.spec("AUTH-4")
async def test_without_a_kid_two_fitting_keys_are_one_too_many(
    start: Any, issuer: Any, token: MakeToken, new_key: Any
) -> None:
    key = new_key("a")
    issuer.publish(key.jwk(), new_key("b").jwk())
    verify = await start()

    response = await verify(token(key, {"kid": ...}))

    assert_invalid(response)
    assert "several keys" in response.json()["detail"]


@pytest.mark.spec("AUTH-10")
@pytest.mark.parametrize("typ", [..., "JWT", "at+jwt", "jwt", "AT+JWT"])
async def test_an_access_token_by_type_is_accepted(
    verify: Verify, token: MakeToken, typ: Any
) -> None:
    assert (await verify(token(header={"typ": typ}))).status_code == 200


@pytest.mark.spec("AUTH-10")
@pytest.mark.parametrize(
    "typ", ["better-auth.session+jwt", "logout+jwt", "id+jwt", "JWE", "", None, 1, ["JWT"]]
)
async def test_a_token_of_another_type_is_refused(
    verify: Verify, token: MakeToken, typ: Any
) -> None:
    response = await verify(token(header={"typ": typ}))

    assert_invalid(response)
    assert "typ" in response.json()["detail"]


@pytest.mark.spec("AUTH-2")
@pytest.mark.parametrize(
    "alg", [..., None, 1, ["HS256"], "", "hs256", "HS384", "ES256K", "RSA-OAEP"]
)
async def test_an_algorithm_that_nobody_allowed_is_refused(
    verify: Verify, token: MakeToken, alg: Any
) -> None:
    assert_invalid(await verify(token(header={"alg": alg})))


@pytest.mark.spec("AUTH-2")
@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE"])
@pytest.mark.parametrize("signature", ["", ".", ".c2ln"])
async def test_none_is_refused_in_any_case(
    verify: Verify, token: MakeToken, alg: str, signature: str
) -> None:
    header = urlsafe_b64encode(json.dumps({"alg": alg}).encode()).decode().rstrip("=")
    claims = token().split(".")[1]

    assert_invalid(await verify(f"{header}.{claims}{signature}"))
