"""Times that are no times, or in the wrong unit."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from devkit.forge import Forge, to_json

Check = Callable[..., Awaitable[None]]

NOT_TIMES = (
    *("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1e308", "-1e308"),
    *("9" * 400, "9007199254740993", "true", "false", "null", "[]", "{}", "[1]"),
    *('""', '"0"', '"NaN"', '"Infinity"', '"2036-01-01T00:00:00Z"', '"tomorrow"', '"1e10"'),
)


def _claims(forge: Forge, name: str, raw: str) -> bytes:
    return to_json(forge.claims(**{name: "@"})).replace(b'"@"', raw.encode())


@pytest.mark.spec("ABUSE-8")
@pytest.mark.parametrize("raw", NOT_TIMES, ids=lambda raw: raw[:20])
@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
async def test_a_time_that_is_no_finite_number_is_refused(
    refused: Check, forge: Forge, name: str, raw: str
) -> None:
    await refused(forge.token("EdDSA", raw_claims=_claims(forge, name, raw)))


@pytest.mark.spec("ABUSE-8")
@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
async def test_the_right_time_as_text_is_refused(refused: Check, forge: Forge, name: str) -> None:
    now = int(time.time())
    claims: dict[str, Any] = {name: str(now + 900 if name == "exp" else now)}

    await refused(forge.token("EdDSA", **claims))


@pytest.mark.spec("ABUSE-8")
@pytest.mark.parametrize("exp", [..., 0, -1, 900, 1.5, -(2**53)])
async def test_a_token_without_end_or_long_ended_is_refused(
    refused: Check, forge: Forge, exp: object
) -> None:
    await refused(forge.token("EdDSA", exp=exp))


@pytest.mark.spec("ABUSE-9")
@pytest.mark.parametrize("by", ["EdDSA", "HS256"])
@pytest.mark.parametrize("factor", [1_000, 1_000_000, 1_000_000_000])
@pytest.mark.parametrize(
    "names", [("exp",), ("iat",), ("nbf",), ("exp", "iat"), ("exp", "iat", "nbf")], ids=" ".join
)
async def test_times_in_a_smaller_unit_are_refused(
    refused: Check, forge: Forge, names: tuple[str, ...], factor: int, by: str
) -> None:
    now = int(time.time())
    times = {"iat": now, "nbf": now, "exp": now + 900}
    claims: dict[str, Any] = {name: times[name] * factor for name in names}

    await refused(forge.token(by, **claims))


@pytest.mark.spec("ABUSE-9")
@pytest.mark.parametrize("by", ["EdDSA", "HS256"])
async def test_an_end_in_milliseconds_without_a_beginning_is_refused(
    refused: Check, forge: Forge, by: str
) -> None:
    await refused(forge.token(by, iat=..., exp=int(time.time() + 900) * 1_000))
