"""No signature at all, or one by the wrong algorithm (RFC 8725 §2.1)."""

import hmac
import itertools
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from devkit.forge import PUBLIC_KEY, Forge, SigningKey, encode, to_json, with_signature

Check = Callable[..., Awaitable[None]]

NONES = ["".join(letters) for letters in itertools.product(*zip("none", "NONE", strict=True))]
NO_ALGORITHM: list[Any] = [..., None, 0, "", " none", "none ", "none\0", ["none"], "\uff4eone"]
SIGNATURES: dict[str, Callable[[str], bytes]] = {
    "nothing": lambda _: b"",
    "zeros": lambda _: bytes(64),
    "a MAC without a key": lambda text: hmac.digest(b"", text.encode(), "sha256"),
}
KEY_FORMS: dict[str, Callable[[SigningKey], bytes]] = {
    "pem": lambda key: _public(key, Encoding.PEM),
    "pem without line end": lambda key: _public(key, Encoding.PEM).strip(),
    "pem in one line": lambda key: _public(key, Encoding.PEM).replace(b"\n", b""),
    "der": lambda key: _public(key, Encoding.DER),
    "jwk": lambda key: to_json(key.jwk()),
    "jwk with spaces": lambda key: json.dumps(key.jwk()).encode(),
    "number": lambda key: str(key.jwk().get("x") or key.jwk()["n"]).encode(),
}


def _public(key: SigningKey, encoding: Encoding) -> bytes:
    public: bytes = key.private.public_key().public_bytes(
        encoding, PublicFormat.SubjectPublicKeyInfo
    )
    return public


@pytest.mark.spec("ABUSE-1")
@pytest.mark.parametrize("signature", SIGNATURES)
@pytest.mark.parametrize("algorithm", [*NONES, *NO_ALGORITHM], ids=repr)
async def test_a_token_of_no_algorithm_is_refused(
    refused: Check, forge: Forge, algorithm: Any, signature: str
) -> None:
    header = {"kid": "key-EdDSA"} | ({} if algorithm is ... else {"alg": algorithm})
    unsigned = f"{encode(to_json(header))}.{encode(to_json(forge.claims()))}"

    await refused(f"{unsigned}.{encode(SIGNATURES[signature](unsigned))}")


@pytest.mark.spec("ABUSE-1")
async def test_a_good_signature_does_not_make_none_an_algorithm(
    refused: Check, forge: Forge
) -> None:
    await refused(forge.token("EdDSA", {"alg": "none"}))


@pytest.mark.spec("ABUSE-2")
@pytest.mark.parametrize("kid", ["its own", "none"])
@pytest.mark.parametrize("form", KEY_FORMS)
@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256", "ES384", "ES512", "RS256", "PS512"])
async def test_a_public_key_is_no_shared_secret(
    refused: Check, forge: Forge, algorithm: str, form: str, kid: str
) -> None:
    key = forge.keys[algorithm]
    secret = KEY_FORMS[form](key)

    await refused(forge.token(SigningKey("HS256", secret, key.kid if kid == "its own" else None)))


@pytest.mark.spec("ABUSE-2")
@pytest.mark.parametrize("algorithm", PUBLIC_KEY)
async def test_a_mac_is_no_public_key_signature(
    refused: Check, forge: Forge, algorithm: str
) -> None:
    unsigned = forge.token(algorithm).rpartition(".")[0]

    await refused(with_signature(f"{unsigned}.", forge.keys["HS256"].sign(unsigned.encode())))


@pytest.mark.spec("ABUSE-2")
@pytest.mark.parametrize("kid", PUBLIC_KEY)
@pytest.mark.parametrize("algorithm", PUBLIC_KEY)
async def test_a_key_signs_by_its_own_algorithm_only(
    refused: Check, forge: Forge, algorithm: str, kid: str
) -> None:
    other = next(name for name in PUBLIC_KEY if name != kid)
    signer = algorithm if algorithm != kid else other

    await refused(forge.token(signer, {"alg": algorithm, "kid": f"key-{kid}"}))


@pytest.mark.spec("ABUSE-2")
@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
async def test_the_secret_signs_by_hs256_only(refused: Check, forge: Forge, algorithm: str) -> None:
    await refused(forge.token(replace(forge.keys["HS256"], algorithm=algorithm)))


@pytest.mark.spec("ABUSE-2")
@pytest.mark.parametrize(
    ("by", "spelling"),
    [
        *(("HS256", name) for name in ("hs256", "HS256 ", "HS-256", "HMAC-SHA256", "HS256\0")),
        *(("EdDSA", name) for name in ("eddsa", "EDDSA", "Ed448", "ES256", "ed25519")),
        *(("ES256", name) for name in ("es256", "ES256K", "ESP256")),
        *(("RS256", name) for name in ("rs256", "RS1", "RSA-OAEP", "PS256")),
    ],
)
async def test_another_name_is_another_algorithm(
    refused: Check, forge: Forge, by: str, spelling: str
) -> None:
    await refused(forge.token(by, {"alg": spelling}))
