"""JSON that two readers may read differently, or that costs its reader too much."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from devkit.forge import Forge, encode, to_json

Check = Callable[..., Awaitable[None]]

MORE_CLAIMS = {
    "sub again": b'"sub":"root"',
    "the same sub again": b'"sub":"ada"',
    "sub, escaped": b'"s\\u0075b":"root"',
    "exp again": b'"exp":99999999999',
    "aud again": b'"aud":"https://elsewhere.test"',
    "inside an object": b'"x":{"a":1,"a":2}',
    "inside a list": b'"x":[[{"a":1,"\\u0061":2}]]',
}
MORE_HEADER = {
    "alg again": b'"alg":"none"',
    "the same alg again": b'"alg":"EdDSA"',
    "alg, escaped": b'"\\u0061lg":"HS256"',
    "kid again": b'"kid":"attacker"',
    "inside an object": b'"x":{"a":1,"a":2}',
}
NOT_AN_OBJECT = {
    "list": b"[]",
    "list of pairs": b'[["sub","ada"]]',
    "text": b'"ada"',
    "number": b"1",
    "null": b"null",
    "true": b"true",
    "blank": b"  ",
}
# Each is wrapped around a good object.
ODD: dict[str, Callable[[bytes], bytes]] = {
    "byte order mark": lambda good: b"\xef\xbb\xbf" + good,
    "UTF-16": lambda good: good.decode().encode("utf-16"),
    "UTF-32": lambda good: good.decode().encode("utf-32-le"),
    "not UTF-8": lambda good: good[:-1] + b',"x":"\xff"}',
    "overlong UTF-8": lambda good: good[:-1] + b',"x":"\xc0\x80"}',
    "surrogates in UTF-8": lambda good: good[:-1] + b',"x":"\xed\xa0\x80"}',
    "NUL after": lambda good: good + b"\0",
    "NUL in a text": lambda good: good[:-1] + b',"x":"\0"}',
    "a second object": lambda good: good + good,
    "trailing comma": lambda good: good[:-1] + b",}",
    "comment": lambda good: good + b"/**/",
    "single quotes": lambda good: good.replace(b'"', b"'"),
    "cut short": lambda good: good[:-1],
    "hexadecimal": lambda good: good[:-1] + b',"x":0x10}',
    "NaN": lambda good: good[:-1] + b',"x":NaN}',
    "number of 5000 digits": lambda good: good[:-1] + b',"x":' + b"9" * 5000 + b"}",
}
TOO_MUCH: dict[str, Callable[[bytes], bytes]] = {
    "17 kB": lambda good: good[:-1] + b',"x":"' + b"x" * 17_000 + b'"}',
    "a megabyte": lambda good: good[:-1] + b',"x":"' + b"x" * 1024 * 1024 + b'"}',
    "a megabyte of white space": lambda good: good + b" " * 1024 * 1024,
    "lists in lists": lambda good: _nested(good, b"[", b"]", 100_000),
    "objects in objects": lambda good: _nested(good, b'{"a":', b"}", 100_000),
    "lists that never end": lambda good: good[:-1] + b',"x":' + b"[" * 11_000,
    "objects that never end": lambda good: good[:-1] + b',"x":' + b'{"a":' * 2_000,
}


def _nested(good: bytes, opening: bytes, closing: bytes, depth: int) -> bytes:
    return good[:-1] + b',"x":' + opening * depth + b"1" + closing * depth + b"}"


def _part(name: str, data: bytes) -> dict[str, Any]:
    return {name: data}


def _header() -> bytes:
    return to_json({"alg": "EdDSA", "kid": "key-EdDSA"})


@pytest.mark.spec("ABUSE-6")
@pytest.mark.parametrize("by", ["EdDSA", "HS256"])
@pytest.mark.parametrize("more", MORE_CLAIMS)
async def test_claims_with_a_name_twice_are_refused(
    refused: Check, forge: Forge, more: str, by: str
) -> None:
    claims = to_json(forge.claims())

    await refused(forge.token(by, raw_claims=claims[:-1] + b"," + MORE_CLAIMS[more] + b"}"))


@pytest.mark.spec("ABUSE-6")
@pytest.mark.parametrize("more", MORE_HEADER)
async def test_a_header_with_a_name_twice_is_refused(
    refused: Check, forge: Forge, more: str
) -> None:
    extra = MORE_HEADER[more]
    after = _header()[:-1] + b"," + extra + b"}"

    await refused(forge.token("EdDSA", raw_header=after))


@pytest.mark.spec("ABUSE-6")
@pytest.mark.parametrize("more", MORE_HEADER)
async def test_a_header_with_a_name_before_its_own_is_refused(
    refused: Check, forge: Forge, more: str
) -> None:
    before = b"{" + MORE_HEADER[more] + b"," + _header()[1:]

    await refused(forge.token("EdDSA", raw_header=before))


@pytest.mark.spec("ABUSE-7")
@pytest.mark.parametrize("part", ["raw_header", "raw_claims"])
@pytest.mark.parametrize("form", NOT_AN_OBJECT)
async def test_json_that_is_no_object_is_refused(
    refused: Check, forge: Forge, form: str, part: str
) -> None:
    await refused(forge.token("EdDSA", **_part(part, NOT_AN_OBJECT[form])))


@pytest.mark.spec("ABUSE-7")
@pytest.mark.parametrize("part", ["raw_header", "raw_claims"])
@pytest.mark.parametrize("form", [*ODD, *TOO_MUCH])
async def test_odd_deep_and_oversized_json_is_refused(
    refused: Check, forge: Forge, form: str, part: str
) -> None:
    good = _header() if part == "raw_header" else to_json(forge.claims())

    await refused(forge.token("EdDSA", **_part(part, (ODD | TOO_MUCH)[form](good))))


@pytest.mark.spec("ABUSE-7")
@pytest.mark.parametrize("parts", [1, 2, 4, 5, 9000])
async def test_a_token_has_three_parts(refused: Check, forge: Forge, parts: int) -> None:
    pieces = [*forge.token().split("."), *[encode(b"x")] * 9000][:parts]

    await refused(".".join(pieces))
