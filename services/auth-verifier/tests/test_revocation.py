"""By what a token is known once it is revoked."""

import secrets
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import pytest
from httpx import Response

from devkit.forge import second_signature, with_signature

MakeToken = Callable[..., str]
# The `Verify` of conftest.py, which cannot be imported from.
Verify: TypeAlias = Any

NOW = 1_800_000_000
EIGHT_DAYS = 8 * 24 * 60 * 60


async def key_of(answer: Awaitable[Response]) -> str:
    verdict: dict[str, str] = (await answer).json()
    return verdict["token_key"]


@pytest.mark.spec("AUTH-41")
async def test_two_tokens_with_one_jti_are_one_to_revocation(
    verify: Verify, token: MakeToken
) -> None:
    first, second = token(jti="t1"), token("EdDSA", jti="t1", exp=NOW + 60)

    assert await key_of(verify(first)) == await key_of(verify(second))


@pytest.mark.spec("AUTH-41")
@pytest.mark.parametrize("claims", [{"jti": "t2"}, {"sub": "u2", "jti": "t1"}, {}], ids=repr)
async def test_another_jti_or_another_user_is_another_token(
    verify: Verify, token: MakeToken, claims: dict[str, Any]
) -> None:
    assert await key_of(verify(token(jti="t1"))) != await key_of(verify(token(**claims)))


@pytest.mark.spec("AUTH-41")
@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "ES512"])
async def test_the_second_signature_of_a_token_is_the_same_token(
    verify: Verify, token: MakeToken, algorithm: str
) -> None:
    text = token(algorithm)
    twin = with_signature(text, second_signature(text, algorithm))

    assert text != twin
    assert await key_of(verify(text)) == await key_of(verify(twin))


@pytest.mark.spec("AUTH-41")
async def test_another_spelling_of_the_same_claims_is_the_same_token(
    verify: Verify, token: MakeToken
) -> None:
    claims = b'{"sub":"u1","exp":1800000900}'
    spelled = b'{ "exp": 1800000900, "s\\u0075b": "\\u0075\\u0031" }'

    assert await key_of(verify(token(raw_claims=claims))) == await key_of(
        verify(token(raw_claims=spelled))
    )


@pytest.mark.spec("AUTH-41")
@pytest.mark.parametrize("claims", [{"iat": NOW - 1}, {"scope": "x"}, {"sub": "u2"}], ids=repr)
async def test_other_claims_are_another_token(
    verify: Verify, token: MakeToken, claims: dict[str, Any]
) -> None:
    assert await key_of(verify(token())) != await key_of(verify(token(**claims)))


@pytest.mark.spec("AUTH-41")
async def test_all_cookies_of_a_session_are_one_to_revocation(
    verify: Verify, cookie: MakeToken, keyed_cookie: MakeToken
) -> None:
    cookies = [cookie(), cookie(exp=NOW + 60, updatedAt=NOW), keyed_cookie()]

    assert len({await key_of(verify.cookie(text)) for text in cookies}) == 1


@pytest.mark.spec("AUTH-41")
async def test_another_session_of_the_same_user_is_another(
    verify: Verify, cookie: MakeToken
) -> None:
    other = cookie(session={"id": "s2"})

    assert await key_of(verify.cookie(cookie())) != await key_of(verify.cookie(other))


@pytest.mark.spec("AUTH-44")
async def test_tokens_of_an_issuer_without_sessions_are_over_after_their_longest_life(
    start: Any, token: MakeToken, write_issuers: Any
) -> None:
    text = '[other]\niss = ["https://other.example"]\njwks_url = "https://x"\naudiences = "any"'
    verify = await start(auth_issuers_file=write_issuers(text))

    verdict = (await verify(token("EdDSA", iss="https://other.example"))).json()

    assert verdict["token_ends_at"] == NOW + 900
    assert verdict["user_tokens_end_at"] == NOW + EIGHT_DAYS + 30


@pytest.mark.spec("AUTH-46", "AUTH-53")
@pytest.mark.parametrize(
    "settings",
    [
        {"better_auth_secret": secrets.token_urlsafe(48)},
        {"better_auth_secret": ...},
        {"better_auth_issuers": "https://other.example"},
        {"better_auth_audiences": "https://other.example"},
        {"auth_max_token_lifetime": 60},
    ],
    ids=["secret", "no secret", "issuers", "audiences", "lifetime"],
)
async def test_another_setting_is_another_trust(start: Any, settings: dict[str, Any]) -> None:
    before, after = await start(), await start(**settings)

    assert await before.trust_version() != await after.trust_version()


@pytest.mark.spec("AUTH-46")
async def test_a_secret_taken_off_the_list_is_another_trust(start: Any, secret: str) -> None:
    both = f"{secrets.token_urlsafe(48)},{secret}"
    before = await start(better_auth_secret=both)
    after = await start(better_auth_secret=both.partition(",")[0])

    assert await before.trust_version() != await after.trust_version()


@pytest.mark.spec("AUTH-46")
async def test_verifiers_with_the_same_settings_and_keys_agree(
    start: Any, token: MakeToken
) -> None:
    verifiers = [await start(), await start()]
    for verify in verifiers:
        await verify(token("EdDSA"))

    assert len({await verify.trust_version() for verify in verifiers}) == 1


@pytest.mark.spec("AUTH-46")
async def test_a_verdict_says_what_it_rests_on(verify: Verify, token: MakeToken) -> None:
    await verify(token("EdDSA"))

    verdict = (await verify(token("EdDSA"))).json()

    assert verdict["trust_version"] == await verify.trust_version()


@pytest.mark.spec("AUTH-46")
@pytest.mark.parametrize("change", ["added", "removed", "exchanged"])
async def test_another_key_is_another_trust(
    start: Any,
    issuer: Any,
    token: MakeToken,
    keys: dict[str, Any],
    new_key: Callable[[str], Any],
    change: str,
) -> None:
    verify = await start({"max_age": 0.01, "cool_down": 0.01})
    await verify(token("EdDSA"))
    before = await verify.trust_version()
    published = {
        "added": [*keys.values(), new_key("new")],
        "removed": [key for name, key in keys.items() if name != "EdDSA"],
        "exchanged": [*(k for n, k in keys.items() if n != "EdDSA"), new_key("key-EdDSA")],
    }
    issuer.publish(*(key.jwk() for key in published[change]))
    # The next refresh may have begun before; the one after has not.
    await issuer.asked(len(issuer.paths) + 3)

    assert await verify.trust_version() != before


@pytest.mark.spec("AUTH-46")
async def test_the_same_keys_in_another_order_are_the_same_trust(
    start: Any, issuer: Any, token: MakeToken, keys: dict[str, Any]
) -> None:
    verify = await start({"max_age": 0.01, "cool_down": 0.01})
    await verify(token("EdDSA"))
    before = await verify.trust_version()
    issuer.publish(*(key.jwk(use="sig") for key in reversed(keys.values())))
    await issuer.asked(len(issuer.paths) + 3)

    assert await verify.trust_version() == before


@pytest.mark.spec("AUTH-46")
async def test_keys_that_have_gone_stale_are_another_trust(
    verify: Verify, issuer: Any, token: MakeToken, clock: Any
) -> None:
    await verify(token("EdDSA"))
    before = await verify.trust_version()
    await issuer.stop()
    clock.monotonic += 24 * 60 * 60 + 1

    assert await verify.trust_version() != before
