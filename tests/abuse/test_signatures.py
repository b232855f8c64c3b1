"""Signatures that are no numbers in range, in another form, or by a key that is too weak."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from devkit.forge import CURVES, RSA, Forge, second_signature, with_signature

Check = Callable[..., Awaitable[None]]
# The order of the group of Ed25519 (RFC 8032 §5.1).
ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493


def _pairs(r: int, s: int, n: int) -> dict[str, tuple[int, int]]:
    """Return the numbers that are sent in place of r and s; n is the order of the group."""
    return {
        "both zero": (0, 0),
        "r zero": (0, s),
        "s zero": (r, 0),
        "r is n": (n, s),
        "s is n": (r, n),
        "both n": (n, n),
        "both one": (1, 1),
        "r zero, s one": (0, 1),
        "r one, s zero": (1, 0),
        "n - 1": (n - 1, n - 1),
        "n - r": (n - r, s),
        "swapped": (s, r),
        "s + 1": (r, s + 1),
    }


FORMS: dict[str, Callable[[bytes], bytes]] = {
    "DER": lambda raw: encode_dss_signature(*_numbers(raw)),
    "one zero": lambda _: b"\0",
    "r alone": lambda raw: raw[: len(raw) // 2],
    "a byte too many": lambda raw: raw + b"\0",
    "a byte before": lambda raw: b"\0" + raw,
    "a byte less": lambda raw: raw[:-1],
    "each number longer": lambda raw: b"\0" + raw[: len(raw) // 2] + b"\0" + raw[len(raw) // 2 :],
    "twice": lambda raw: raw + raw,
    "all ones": lambda raw: b"\xff" * len(raw),
}


def _numbers(raw: bytes) -> tuple[int, int]:
    half = len(raw) // 2
    return int.from_bytes(raw[:half]), int.from_bytes(raw[half:])


def _signature(forge: Forge, token: str, by: str) -> bytes:
    return forge.keys[by].sign(token.rpartition(".")[0].encode())


def _raw(numbers: tuple[int, int], length: int) -> bytes:
    return b"".join(number.to_bytes(length // 2) for number in numbers)


@pytest.mark.spec("ABUSE-11")
@pytest.mark.parametrize("by", CURVES)
@pytest.mark.parametrize("pair", _pairs(1, 1, 1))
async def test_numbers_that_nobody_signed_are_refused(
    refused: Check, forge: Forge, pair: str, by: str
) -> None:
    token = forge.token(by)
    raw = _signature(forge, token, by)
    numbers = _pairs(*_numbers(raw), CURVES[by].group_order)[pair]

    await refused(with_signature(token, _raw(numbers, len(raw))))


@pytest.mark.spec("ABUSE-11")
@pytest.mark.parametrize("by", [*CURVES, "EdDSA"])
@pytest.mark.parametrize("form", FORMS)
async def test_a_signature_in_another_form_is_refused(
    refused: Check, forge: Forge, form: str, by: str
) -> None:
    token = forge.token(by)

    await refused(with_signature(token, FORMS[form](_signature(forge, token, by))))


@pytest.mark.spec("ABUSE-11")
@pytest.mark.parametrize("by", CURVES)
async def test_the_second_legal_signature_gives_no_other_claims(
    harmless: Check, refused: Check, forge: Forge, by: str
) -> None:
    token, other = forge.token(by), forge.token(by, sub="root")
    second = second_signature(token, by)

    await harmless(with_signature(token, second))
    await refused(with_signature(other, second))


@pytest.mark.spec("ABUSE-11")
async def test_an_eddsa_signature_has_no_second_form(refused: Check, forge: Forge) -> None:
    token = forge.token("EdDSA")
    raw = _signature(forge, token, "EdDSA")
    # RFC 8032 §5.1.7: S must be below the order, or S plus the order would verify too.
    higher = int.from_bytes(raw[32:], "little") + ED25519_ORDER

    await refused(with_signature(token, raw[:32] + higher.to_bytes(32, "little")))


@pytest.mark.spec("ABUSE-11")
@pytest.mark.parametrize("point", [bytes(32), b"\1" + bytes(31)], ids=["order 4", "identity"])
async def test_an_eddsa_signature_of_a_small_point_is_refused(
    refused: Check, forge: Forge, point: bytes
) -> None:
    await refused(with_signature(forge.token("EdDSA"), point + bytes(32)))


@pytest.mark.spec("ABUSE-12")
@pytest.mark.parametrize("algorithm", RSA)
@pytest.mark.parametrize("kid", ["weak", "key-RS256", "its algorithm's", ...], ids=str)
async def test_a_weak_rsa_key_signs_nothing(
    refused: Check, forge: Forge, kid: object, algorithm: str
) -> None:
    key = replace(forge.keys["weak"], algorithm=algorithm)
    named = f"key-{algorithm}" if kid == "its algorithm's" else kid

    await refused(forge.token(key, {"kid": named}), unknown_key=kid == "weak")
