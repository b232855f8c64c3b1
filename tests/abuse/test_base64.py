"""A second text for the same token: each would escape a cache, a deny list or a log search."""

import itertools
from collections.abc import Awaitable, Callable

import pytest

from devkit.forge import Forge, encode, signed, to_json

Check = Callable[..., Awaitable[None]]
PARTS = ("header", "claims", "signature")
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

SPELLINGS: dict[str, Callable[[str], str]] = {
    "padding": lambda part: part + "=" * (-len(part) % 4 or 4),
    "one sign of padding": lambda part: f"{part}=",
    "padding inside": lambda part: f"{part[:4]}={part[4:]}",
    "white space inside": lambda part: f"{part[:4]} {part[4:]}",
    "tab inside": lambda part: f"{part[:4]}\t{part[4:]}",
    "a sign left out": lambda part: part[:-1],
    "a sign too many": lambda part: f"{part}A",
    "a dot within": lambda part: f"{part[:4]}.{part[4:]}",
    "percent": lambda part: f"%{ord(part[0]):x}{part[1:]}",
    "comma": lambda part: f"{part},",
    "full-width letter": lambda part: chr(ord(part[0]) + 0xFEE0) + part[1:],
    "umlaut": lambda part: f"{part}\u00e4",
}
UNSENDABLE: dict[str, Callable[[str], str]] = {
    "line feed": lambda part: f"{part[:4]}\n{part[4:]}",
    "line feed after": lambda part: f"{part}\n",
    "line end": lambda part: f"{part[:4]}\r\n{part[4:]}",
    "NUL": lambda part: f"{part}\0",
    "half a surrogate pair": lambda part: f"{part}\ud800",
}


def _respelt(forge: Forge, part: str, spell: Callable[[str], str]) -> str:
    """Return a token whose signature is good over the text as it then stands."""
    key = forge.keys["HS256"]
    header, claims = (encode(to_json(value)) for value in ({"alg": "HS256"}, forge.claims()))
    header = spell(header) if part == "header" else header
    claims = spell(claims) if part == "claims" else claims
    signature = encode(key.sign(f"{header}.{claims}".encode(errors="replace")))
    return f"{header}.{claims}.{spell(signature) if part == 'signature' else signature}"


def _other_ends(part: str) -> list[str]:
    """Return the texts that lenient decoders read as the same bytes."""
    unused = {2: 16, 3: 4}[len(part) % 4]
    last = _ALPHABET.index(part[-1])
    return [part[:-1] + _ALPHABET[last + more] for more in range(1, unused)]


@pytest.mark.spec("ABUSE-10")
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_a_part_in_another_spelling_is_refused(
    refused: Check, forge: Forge, spelling: str, part: str
) -> None:
    await refused(_respelt(forge, part, SPELLINGS[spelling]))


@pytest.mark.spec("ABUSE-10")
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("spelling", UNSENDABLE)
async def test_a_spelling_that_no_header_can_carry_is_refused_by_the_verifier(
    refused: Check, forge: Forge, spelling: str, part: str
) -> None:
    await refused(_respelt(forge, part, UNSENDABLE[spelling]), at_gateway=False)


@pytest.mark.spec("ABUSE-10")
@pytest.mark.parametrize("space", [" ", "\t", "\n", "\r\n", "\u00a0", "\ufeff"], ids=repr)
async def test_the_verifier_strips_no_white_space(refused: Check, good: str, space: str) -> None:
    await refused(f"{space}{good}", at_gateway=False)
    await refused(f"{good}{space}", at_gateway=False)


@pytest.mark.spec("ABUSE-10")
@pytest.mark.parametrize("part", ["header", "claims"])
@pytest.mark.parametrize("letters", [("-", "+"), ("_", "/")], ids="".join)
async def test_the_other_alphabet_is_refused(
    refused: Check, forge: Forge, part: str, letters: tuple[str, str]
) -> None:
    # `>>>` and `???` are what JSON can hold whose base64 has the two letters in question.
    texts = [f"{'a' * shift}>>>???" for shift in range(3)]
    spelt = [encode(to_json({"alg": "HS256", "x": text} | forge.claims())) for text in texts]
    sound = next(text for text in spelt if letters[0] in text)
    plain = encode(to_json({"alg": "HS256"} if part == "claims" else forge.claims()))
    other = sound.replace(*letters)
    pair = (other, plain) if part == "header" else (plain, other)

    await refused(signed(forge.keys["HS256"], *pair))


@pytest.mark.spec("ABUSE-10")
@pytest.mark.parametrize("by", ["EdDSA", "ES512", "HS256", "RS256"])
async def test_a_signature_with_a_non_canonical_end_is_refused(
    refused: Check, forge: Forge, by: str
) -> None:
    unsigned, _, signature = forge.token(by).rpartition(".")

    for end in _other_ends(signature) if len(signature) % 4 else [f"{signature}A"]:
        await refused(f"{unsigned}.{end}")


@pytest.mark.spec("ABUSE-10")
@pytest.mark.parametrize("part", [0, 1])
async def test_a_signed_part_with_a_non_canonical_end_is_refused(
    refused: Check, forge: Forge, part: int
) -> None:
    padded = (to_json({"alg": "HS256"}), to_json(forge.claims()))
    # White space in the JSON until there are unused bits at the end.
    ends = itertools.chain.from_iterable(
        _other_ends(encode(padded[part] + b" " * more))
        for more in range(3)
        if (len(padded[part]) + more) % 3
    )

    for end in ends:
        pair = [encode(padded[0]), encode(padded[1])]
        pair[part] = end
        await refused(signed(forge.keys["HS256"], pair[0], pair[1]))
