"""Keys, secrets and algorithms: who signed, and with what."""

import base64
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from httpx import Response

MakeToken = Callable[..., str]
Verify = Callable[[str], Awaitable[Response]]

RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
ALGORITHMS = ("EdDSA", "ES256", "ES384", "ES512", *RSA)


@dataclass(frozen=True)
class SharedKey:
    """HMAC without the checks a library makes: attackers skip those."""

    secret: bytes
    kid: str | None = None
    algorithm: str = "HS256"

    def sign(self, message: bytes) -> bytes:
        return hmac.digest(self.secret, message, "sha256")


def assert_invalid(response: Response) -> None:
    assert (response.status_code, response.json()["code"]) == (401, "token_invalid")


@pytest.mark.spec("AUTH-2", "AUTH-12")
@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_a_key_of_every_algorithm_verifies(
    verify: Verify, token: MakeToken, algorithm: str
) -> None:
    response = await verify(token(algorithm))

    assert response.status_code == 200
    assert response.json()["key_id"] == f"key-{algorithm}"


@pytest.mark.spec("AUTH-2")
@pytest.mark.parametrize("algorithm", [*ALGORITHMS, "HS256"])
async def test_an_altered_claim_is_refused(
    verify: Verify, token: MakeToken, algorithm: str
) -> None:
    header, _, signature = token(algorithm).split(".")
    _, claims, _ = token(algorithm, sub="u2").split(".")

    assert_invalid(await verify(f"{header}.{claims}.{signature}"))


@pytest.mark.spec("AUTH-2")
@pytest.mark.parametrize("algorithm", [*ALGORITHMS, "HS256"])
async def test_a_signature_of_another_length_is_refused(
    verify: Verify, token: MakeToken, algorithm: str
) -> None:
    assert_invalid(await verify(f"{token(algorithm).rpartition('.')[0]}.c2ln"))


@pytest.mark.spec("AUTH-2")
async def test_eddsa_may_be_spelled_ed25519(
    start: Any, issuer: Any, keys: Any, token: MakeToken
) -> None:
    issuer.publish(keys["EdDSA"].jwk(alg="Ed25519"))
    verify = await start()

    spelled = [await verify(token("EdDSA", {"alg": name})) for name in ("Ed25519", "EdDSA")]

    assert [response.status_code for response in spelled] == [200, 200]


@pytest.mark.spec("AUTH-2")
@pytest.mark.parametrize("form", ["pem", "der", "raw"])
async def test_hs256_with_a_public_key_as_its_secret_is_refused(
    verify: Verify, token: MakeToken, keys: Any, form: str
) -> None:
    public = keys["EdDSA"].private.public_key()
    known = {
        "pem": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "der": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "raw": public.public_bytes(Encoding.Raw, PublicFormat.Raw),
    }[form]

    assert_invalid(await verify(token(SharedKey(known, "key-EdDSA"))))


@pytest.mark.spec("AUTH-2")
@pytest.mark.parametrize("other", ["RS512", "PS256", "ES256"])
async def test_an_algorithm_other_than_the_keys_own_is_refused(
    verify: Verify, token: MakeToken, keys: Any, other: str
) -> None:
    signer = replace(keys[other], kid="key-RS256")

    response = await verify(token(signer))

    assert_invalid(response)
    assert "not that of the key" in response.json()["detail"]


@pytest.mark.spec("AUTH-2")
async def test_an_hs256_token_by_a_jwks_key_that_is_symmetric_is_refused(
    start: Any, issuer: Any, keys: Any, token: MakeToken
) -> None:
    known = b"a symmetric key that was published by mistake"
    published = base64.urlsafe_b64encode(known).decode().rstrip("=")
    issuer.publish({"kty": "oct", "k": published, "kid": "sym"}, keys["EdDSA"].jwk())
    verify = await start()

    response = await verify(token(SharedKey(known, "sym")))

    assert_invalid(response)


@pytest.mark.spec("AUTH-12")
@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_keys_without_alg_and_use_verify_what_their_type_allows(
    start: Any, issuer: Any, keys: Any, token: MakeToken, algorithm: str
) -> None:
    bare = keys[algorithm].jwk()
    del bare["alg"]
    issuer.publish(bare)
    verify = await start()

    assert (await verify(token(algorithm))).status_code == 200


@pytest.mark.spec("AUTH-12")
@pytest.mark.parametrize(
    "members",
    [
        {"use": "enc"},
        {"use": 1},
        {"key_ops": ["encrypt"]},
        {"key_ops": "verify"},
        {"alg": "RSA-OAEP"},
        {"alg": 1},
        {"kty": "EC"},
        {"kty": None},
        {"kid": 1},
        {"crv": "P-256"},
        {"crv": ["Ed25519"]},
        {"x": None},
        {"x": "AAAA"},
        {"x": "\u00fc"},
    ],
    ids=str,
)
async def test_a_key_that_is_not_for_signatures_or_broken_is_passed_over(
    start: Any, issuer: Any, keys: Any, token: MakeToken, members: dict[str, Any]
) -> None:
    issuer.publish(keys["EdDSA"].jwk(**members), "no key", None, keys["ES256"].jwk())
    verify = await start()

    passed_over, other = await verify(token("EdDSA")), await verify(token("ES256"))

    assert_invalid(passed_over)
    assert other.status_code == 200


@pytest.mark.spec("AUTH-12")
@pytest.mark.parametrize("members", [{"use": "sig"}, {"key_ops": ["verify"]}])
async def test_a_key_marked_for_signatures_verifies(
    start: Any, issuer: Any, keys: Any, token: MakeToken, members: dict[str, Any]
) -> None:
    issuer.publish(keys["EdDSA"].jwk(**members))
    verify = await start()

    assert (await verify(token("EdDSA"))).status_code == 200


@pytest.mark.spec("AUTH-12")
async def test_an_rsa_key_under_2048_bits_is_passed_over(
    start: Any, issuer: Any, keys: Any, token: MakeToken, small_rsa_key: Any
) -> None:
    issuer.publish(small_rsa_key.jwk(), keys["RS256"].jwk())
    verify = await start()

    assert_invalid(await verify(token(small_rsa_key)))


@pytest.mark.spec("AUTH-11")
async def test_each_secret_of_the_list_is_accepted_and_no_other(
    start: Any, token: MakeToken, secret: str
) -> None:
    new, old = (secret[:-1] + letter for letter in "!?")
    verify = await start(better_auth_secret=f"{new},{old}")

    by_new, by_old, by_other = [
        await verify(token(SharedKey(text.encode()))) for text in (new, old, secret)
    ]

    assert (by_new.status_code, by_old.status_code) == (200, 200)
    assert_invalid(by_other)


@pytest.mark.spec("AUTH-11")
async def test_the_secret_is_its_utf8_bytes(start: Any, token: MakeToken) -> None:
    secret = "\u00fcber-geheim " * 4 + "!"
    verify = await start(better_auth_secret=secret)

    assert (await verify(token(SharedKey(secret.encode())))).status_code == 200


@pytest.mark.spec("AUTH-11")
async def test_a_kid_does_not_matter_to_a_shared_secret(verify: Verify, token: MakeToken) -> None:
    assert (await verify(token(header={"kid": "whatever"}))).status_code == 200


@pytest.mark.spec("AUTH-13")
async def test_a_jwks_token_without_a_configured_jwks_names_the_setting(
    start: Any, token: MakeToken
) -> None:
    verify = await start(better_auth_url=..., better_auth_jwks_url=...)

    response = await verify(token("EdDSA"))

    assert_invalid(response)
    assert "BETTER_AUTH_URL" in response.json()["detail"]


@pytest.mark.spec("AUTH-13")
async def test_a_secrets_token_without_a_configured_secret_names_the_setting(
    start: Any, token: MakeToken
) -> None:
    verify = await start(better_auth_secret=...)

    response = await verify(token())

    assert_invalid(response)
    assert "BETTER_AUTH_SECRET" in response.json()["detail"]
