"""Whatever is done to a good token: it is refused, or still says exactly what was signed."""

import json
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devkit.forge import (
    CURVES,
    PUBLIC_KEY,
    Forge,
    SigningKey,
    decode,
    encode,
    new_keys,
    second_signature,
    signed,
    to_json,
    with_signature,
)

Verify = Callable[[str], Awaitable[dict[str, Any] | None]]
Record = Callable[..., None]

ALGORITHMS = (*PUBLIC_KEY, "HS256")
USERS = ("ada", "root")
# Session fixtures alone: what one example does, the next may see.
CHECKS = settings(deadline=None, derandomize=False, print_blob=True, database=None)
IN_PROCESS = settings(CHECKS, max_examples=1500, suppress_health_check=[HealthCheck.too_slow])
AT_GATEWAY = settings(CHECKS, max_examples=150, suppress_health_check=[HealthCheck.too_slow])

printable = st.characters(min_codepoint=0x21, max_codepoint=0x7E)
positions = st.integers(0, 5000)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
header_edits = st.fixed_dictionaries(
    {},
    optional={
        "alg": st.sampled_from([*ALGORITHMS, "none", "NONE", "HS512", "Ed25519"]) | json_values,
        "kid": st.sampled_from([*(f"key-{name}" for name in PUBLIC_KEY), "weak"]) | json_values,
        "typ": st.sampled_from(["JWT", "at+jwt", "logout+jwt"]) | json_values,
        "crit": st.just(["exp"]) | json_values,
        "b64": st.booleans(),
        "x": json_values,
    },
)
claim_edits = st.fixed_dictionaries(
    {},
    optional={
        "sub": st.sampled_from(USERS) | json_values,
        "exp": st.integers(0, 2**40) | json_values,
        "iat": json_values,
        "iss": json_values,
        "aud": json_values,
        "x": json_values,
    },
)


@dataclass(frozen=True)
class Victim:
    """Every good token an attacker may have seen, and the keys to sign others with."""

    tokens: Mapping[tuple[str, str], str]
    attacker: Mapping[str, SigningKey]

    def user_of(self, token: str) -> str | None:
        """Return whom the issuer meant, if it signed exactly this token."""
        return self._users().get(token)

    def _users(self) -> dict[str, str]:
        users = {token: user for (_, user), token in self.tokens.items()}
        seconds = {
            with_signature(token, second_signature(token, algorithm)): user
            for (algorithm, user), token in self.tokens.items()
            if algorithm in CURVES
        }
        return users | seconds


@pytest.fixture(scope="session")
def victim(forge: Forge) -> Victim:
    tokens = {
        (algorithm, user): forge.token(algorithm, sub=user)
        for algorithm in ALGORITHMS
        for user in USERS
    }
    macs = {
        "empty": SigningKey("HS256", b""),
        "name": SigningKey("HS256", b"key-EdDSA"),
        "jwk": SigningKey("HS256", to_json(forge.keys["EdDSA"].jwk())),
    }
    return Victim(tokens, new_keys() | macs)


@st.composite
def _typos(draw: st.DrawFn, token: str) -> str:
    """Change, leave out or add single characters of the text."""
    for _ in range(draw(st.integers(1, 3))):
        at = draw(positions) % (len(token) + 1)
        new = draw(st.text(printable, max_size=2))
        token = token[:at] + new + token[at + draw(st.integers(0, 2)) :]
    return token


@st.composite
def _bit_flips(draw: st.DrawFn, token: str) -> str:
    """Flip bits of what a part decodes to."""
    parts = token.split(".")
    which = draw(st.integers(0, 2))
    data = bytearray(decode(parts[which]))
    for _ in range(draw(st.integers(1, 3))):
        data[draw(positions) % len(data)] ^= 1 << draw(st.integers(0, 7))
    parts[which] = encode(bytes(data))
    return ".".join(parts)


@st.composite
def _swaps(draw: st.DrawFn, victim: Victim) -> str:
    """Put together parts of several good tokens."""
    tokens = st.sampled_from(sorted(victim.tokens.values()))
    return ".".join(draw(tokens).split(".")[part] for part in range(3))


@st.composite
def _edits(draw: st.DrawFn, victim: Victim, token: str) -> str:
    """Write another header or other claims, under the old signature or one of the attacker's."""
    header, claims, signature = token.split(".")
    signer = draw(st.none() | st.sampled_from(sorted(victim.attacker)))
    key = victim.attacker[signer] if signer else None
    named = {"alg": key.algorithm} if key else {}
    header = _edited(header, named | draw(header_edits))
    claims = _edited(claims, draw(claim_edits))
    return signed(key, header, claims) if key else f"{header}.{claims}.{signature}"


def _edited(part: str, edits: Mapping[str, Any]) -> str:
    # Untouched, it stays the text that was signed.
    return encode(to_json(json.loads(decode(part)) | edits)) if edits else part


@st.composite
def _respellings(draw: st.DrawFn, token: str) -> str:
    """Write the same bytes, or the same JSON, in another way."""
    parts = token.split(".")
    which = draw(st.integers(0, 2))
    parts[which] = draw(st.sampled_from(_spellings(parts[which])))
    return ".".join(parts)


def _spellings(part: str) -> list[str]:
    data = decode(part)
    standard = b64encode(data).decode()
    others = (
        data.replace(b",", b", ").replace(b":", b": "),
        data + b" ",
        data + b"\0",
        data.replace(b"a", b"\\u0061"),
        b"\xef\xbb\xbf" + data,
    )
    texts = (f"{part}=", f"{part}==", standard, standard.rstrip("="), part[:-1] + "-")
    more = (f"{part}.", f".{part}", f"{part}\u200b", part.swapcase())
    return [*texts, *more, *map(encode, others)]


def _mutated(data: st.DataObject, victim: Victim) -> str:
    algorithm = data.draw(st.sampled_from(ALGORITHMS))
    token = victim.tokens[algorithm, data.draw(st.sampled_from(USERS))]
    kinds = [_typos(token), _bit_flips(token), _swaps(victim), _respellings(token)]
    if algorithm in CURVES:
        kinds.append(st.just(with_signature(token, second_signature(token, algorithm))))
    mutated: str = data.draw(st.one_of(_edits(victim, token), *kinds))
    return mutated


@pytest.mark.spec("ABUSE-19")
@given(data=st.data())
@IN_PROCESS
async def test_a_mutation_the_verifier_accepts_says_what_was_signed(
    data: st.DataObject, verifier: Verify, victim: Victim, record: Record
) -> None:
    token = _mutated(data, victim)

    verdict = await verifier(token)

    user = verdict and verdict["user_id"]
    harmful = user is not None and user != victim.user_of(token)
    record("ABUSE-19", right=False, accepted=harmful)
    assert not harmful, token


@pytest.mark.spec("ABUSE-19")
@given(data=st.data())
@AT_GATEWAY
async def test_a_mutation_the_gateway_accepts_says_what_was_signed(
    data: st.DataObject, doors: Any, victim: Victim, record: Record
) -> None:
    token = _mutated(data, victim)

    answer = await doors.gateway([(b"authorization", b"Bearer " + token.encode())])

    harmful = answer.user_id is not None and answer.user_id != victim.user_of(token)
    record("ABUSE-19", right=False, accepted=harmful)
    assert answer.status in {200, 401, 503}
    assert not harmful, token


@pytest.mark.spec("ABUSE-19")
async def test_what_is_mutated_was_good(verifier: Verify, victim: Victim, record: Record) -> None:
    for (_, user), token in victim.tokens.items():
        verdict = await verifier(token)

        record("ABUSE-19", right=True, accepted=verdict is not None)
        assert verdict is not None
        assert verdict["user_id"] == user == victim.user_of(token)


@pytest.mark.spec("ABUSE-19")
@pytest.mark.parametrize("bit", range(8))
async def test_no_bit_of_a_token_is_unchecked(
    verifier: Verify, victim: Victim, record: Record, bit: int
) -> None:
    token = victim.tokens["EdDSA", "ada"]
    parts = [decode(part) for part in token.split(".")]
    flips = chain.from_iterable(
        ((which, at) for at in range(len(part))) for which, part in enumerate(parts)
    )

    for which, at in flips:
        flipped = [bytearray(part) for part in parts]
        flipped[which][at] ^= 1 << bit
        verdict = await verifier(".".join(encode(bytes(part)) for part in flipped))
        record("ABUSE-19", right=False, accepted=verdict is not None)
        assert verdict is None
