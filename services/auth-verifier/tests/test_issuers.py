"""Several issuers at once: whose rules hold, and whose user it is."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from httpx import Response
from structlog.testing import capture_logs

MakeToken = Callable[..., str]
Verify = Callable[[str], Awaitable[Response]]
StartWith = Callable[..., Awaitable[Verify]]

NOW = 1_800_000_000
ALPHA = "https://alpha.example"
BETA = "https://beta.example/"
# Good for `[alpha]` and `[beta]`, which do not look at audiences unless a test says so.
OF_ALPHA: dict[str, Any] = {"iss": ALPHA, "aud": ...}
OF_BETA: dict[str, Any] = {"iss": BETA, "aud": ...}
WITHOUT_BETTER_AUTH = {
    "better_auth_secret": ...,
    "better_auth_url": ...,
    "better_auth_jwks_url": ...,
}


def assert_refused(response: Response, naming: str) -> None:
    assert (response.status_code, response.json()["code"]) == (401, "token_invalid")
    assert naming in response.json()["detail"]


@pytest.fixture
def start_with(start: Any, write_issuers: Callable[[str], Path]) -> StartWith:
    """Start a verifier that has Better Auth, and `[alpha]` with the same keys and these lines."""

    async def start_with(*lines: str, **settings: Any) -> Verify:
        keys = [] if "secrets_env" in "".join(lines) else ['jwks_url = "https://…"']
        text = "\n".join(["[alpha]", f'iss = ["{ALPHA}"]', *keys, *lines])
        verify: Verify = await start(auth_issuers_file=write_issuers(text), **settings)
        return verify

    return start_with


def beta(issuer: Any) -> str:
    return f'[beta]\niss = ["{BETA}", "urn:beta"]\njwks_url = "{issuer.url}/jwks"'


@pytest.mark.spec("AUTH-27")
@pytest.mark.parametrize("iss", [BETA, "urn:beta"])
async def test_the_iss_chooses_the_issuer(
    start_with: StartWith, token: MakeToken, other_issuer: Any, new_key: Any, iss: str
) -> None:
    key = new_key("of-beta")
    other_issuer.publish(key.jwk())
    verify = await start_with(beta(other_issuer))

    response = await verify(token(key, iss=iss, aud=...))

    assert response.json()["issuer"] == "beta"


@pytest.mark.spec("AUTH-27")
async def test_a_key_of_one_issuer_serves_no_other(
    start_with: StartWith, token: MakeToken, other_issuer: Any, new_key: Any
) -> None:
    key = new_key("of-beta")
    other_issuer.publish(key.jwk())
    verify = await start_with(beta(other_issuer))

    as_alpha = await verify(token(key, **OF_ALPHA))
    as_better_auth = await verify(token(key))
    alphas_as_beta = await verify(token("EdDSA", **OF_BETA))

    assert_refused(as_alpha, "[alpha]")
    assert_refused(as_better_auth, "BETTER_AUTH_URL")
    assert_refused(alphas_as_beta, "[beta]")


@pytest.mark.spec("AUTH-27")
async def test_a_kid_that_two_issuers_share_stands_for_two_keys(
    start_with: StartWith, token: MakeToken, other_issuer: Any, new_key: Any, keys: Any
) -> None:
    key = new_key(keys["EdDSA"].kid)
    other_issuer.publish(key.jwk())
    verify = await start_with(beta(other_issuer))

    good = await verify(token(key, **OF_BETA))
    crossed = await verify(token("EdDSA", **OF_BETA))

    assert good.status_code == 200
    assert_refused(crossed, "signature")


@pytest.mark.spec("AUTH-27")
async def test_the_secret_of_better_auth_serves_no_other_issuer(
    start_with: StartWith, token: MakeToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALPHA_SECRET", "of-alpha" * 4)
    verify = await start_with('secrets_env = "ALPHA_SECRET"')

    assert_refused(await verify(token(**OF_ALPHA)), "`secrets_env` of [alpha]")


@pytest.mark.spec("AUTH-27", "AUTH-30", "AUTH-31")
@pytest.mark.parametrize(
    ("lines", "by", "naming"),
    [
        ((), "HS256", "`secrets_env` of [alpha]"),
        (('secrets_env = "ALPHA_SECRET"',), "EdDSA", "`jwks_url` of [alpha]"),
        (('algorithms = ["RS256", "EdDSA"]',), "ES256", "use one of EdDSA, RS256"),
    ],
)
async def test_an_algorithm_of_another_issuer_does_not_help(
    start_with: StartWith,
    token: MakeToken,
    monkeypatch: pytest.MonkeyPatch,
    lines: tuple[str, ...],
    by: str,
    naming: str,
) -> None:
    monkeypatch.setenv("ALPHA_SECRET", "of-alpha" * 4)
    verify = await start_with(*lines)

    assert (await verify(token(by))).status_code == 200
    assert_refused(await verify(token(by, **OF_ALPHA)), naming)


@pytest.mark.spec("AUTH-27")
async def test_a_token_without_a_listed_iss_meets_the_rules_of_better_auth(
    start_with: StartWith, token: MakeToken
) -> None:
    verify = await start_with()

    bare = await verify(token(iss=..., aud=...))
    unlisted = await verify(token("EdDSA", iss=f"{ALPHA}/"))

    assert bare.json()["issuer"] == "better-auth"
    assert_refused(unlisted, "BETTER_AUTH_ISSUERS")


@pytest.mark.spec("AUTH-25", "AUTH-27")
@pytest.mark.parametrize("iss", [..., None, "", f"{ALPHA}/", [ALPHA], {ALPHA: 1}, 1])
@pytest.mark.parametrize("by", ["EdDSA", "HS256"])
async def test_without_better_auth_only_a_listed_iss_will_do(
    start_with: StartWith, token: MakeToken, by: str, iss: Any
) -> None:
    verify = await start_with(**WITHOUT_BETTER_AUTH)

    assert (await verify(token("EdDSA", **OF_ALPHA))).json()["user_id"] == "alpha:u1"
    assert_refused(await verify(token(by, iss=iss, aud=...)), "AUTH_ISSUERS_FILE")


@pytest.mark.spec("AUTH-28")
async def test_users_of_two_issuers_with_the_same_sub_are_two_users(
    start_with: StartWith, token: MakeToken
) -> None:
    verify = await start_with()

    first, other = await verify(token("EdDSA")), await verify(token("EdDSA", **OF_ALPHA))

    assert (first.json()["user_id"], other.json()["user_id"]) == ("u1", "alpha:u1")


@pytest.mark.spec("AUTH-28")
@pytest.mark.parametrize("by", ["EdDSA", "HS256"])
@pytest.mark.parametrize("sub", ["alpha:u1", "alpha:", "alpha::u1"])
async def test_no_better_auth_user_passes_for_one_of_another_issuer(
    start_with: StartWith, token: MakeToken, by: str, sub: str
) -> None:
    assert_refused(await (await start_with())(token(by, sub=sub)), "`sub`")


@pytest.mark.spec("AUTH-28")
@pytest.mark.parametrize("sub", ["alpha", "alphabet:u1", "Alpha:u1", "x:alpha:u1", ":u1", "u:1"])
async def test_a_better_auth_sub_with_another_colon_stays_as_it_is(
    start_with: StartWith, token: MakeToken, sub: str
) -> None:
    response = await (await start_with())(token(sub=sub))

    assert response.json()["user_id"] == sub


@pytest.mark.spec("AUTH-28")
async def test_a_sub_of_the_file_may_begin_with_any_name(
    start_with: StartWith, token: MakeToken
) -> None:
    response = await (await start_with())(token("EdDSA", **OF_ALPHA, sub="alpha:u1"))

    assert response.json()["user_id"] == "alpha:alpha:u1"


@pytest.mark.spec("AUTH-28")
async def test_a_user_id_has_255_characters_name_included(
    start_with: StartWith, token: MakeToken
) -> None:
    verify = await start_with()

    longest = await verify(token("EdDSA", **OF_ALPHA, sub="u" * 249))
    longer = await verify(token("EdDSA", **OF_ALPHA, sub="u" * 250))

    assert len(longest.json()["user_id"]) == 255
    assert_refused(longer, "`sub` is too long")


LISTED = 'audiences = ["tasks", "notes"]'


@pytest.mark.spec("AUTH-29")
@pytest.mark.parametrize(
    ("line", "aud"),
    [
        (LISTED, "tasks"),
        (LISTED, ["other", "notes"]),
        ('audiences = "any"', ...),
        ('audiences = "any"', "other"),
        ("", ...),
    ],
)
async def test_an_audience_that_the_entry_allows_is_accepted(
    start_with: StartWith, token: MakeToken, line: str, aud: Any
) -> None:
    response = await (await start_with(line))(token("EdDSA", iss=ALPHA, aud=aud))

    assert response.status_code == 200


@pytest.mark.spec("AUTH-29", "AUTH-31")
@pytest.mark.parametrize("by", ["EdDSA", "HS256"])
@pytest.mark.parametrize(
    ("line", "aud"),
    [(LISTED, aud) for aud in (..., None, "other", [], ["tasks", 1], "any")]
    + [("", aud) for aud in (None, "tasks", [], ["any"])],
)
async def test_an_audience_that_the_entry_does_not_allow_is_refused(
    start_with: StartWith,
    token: MakeToken,
    monkeypatch: pytest.MonkeyPatch,
    secret: str,
    line: str,
    aud: Any,
    by: str,
) -> None:
    monkeypatch.setenv("ALPHA_SECRET", secret)
    verify = await start_with(line, *(['secrets_env = "ALPHA_SECRET"'] if by == "HS256" else []))

    response = await verify(token(by, iss=ALPHA, aud=aud))

    assert_refused(response, "`audiences` of [alpha] in AUTH_ISSUERS_FILE")


@pytest.mark.spec("AUTH-29", "AUTH-31")
@pytest.mark.parametrize("azp", [..., None, "", "https://evil.example", ["web"], 1])
async def test_an_authorized_party_has_to_be_listed(
    start_with: StartWith, token: MakeToken, azp: Any
) -> None:
    verify = await start_with('authorized_parties = ["web", "app"]')

    assert (await verify(token("EdDSA", **OF_ALPHA, azp="app"))).status_code == 200
    assert_refused(
        await verify(token("EdDSA", **OF_ALPHA, azp=azp)), "`authorized_parties` of [alpha]"
    )


@pytest.mark.spec("AUTH-30")
@pytest.mark.parametrize("claim", ["iat", "nbf"])
async def test_the_leeway_of_the_entry_holds(
    start_with: StartWith, token: MakeToken, claim: str
) -> None:
    verify = await start_with("leeway = 5")

    within = await verify(token("EdDSA", **OF_ALPHA, **{claim: NOW + 5}))
    beyond = await verify(token("EdDSA", **OF_ALPHA, **{claim: NOW + 6}))
    better_auths = await verify(token("EdDSA", **{claim: NOW + 30}))

    assert (within.status_code, better_auths.status_code) == (200, 200)
    assert_refused(beyond, f"`{claim}`")


@pytest.mark.spec("AUTH-30", "AUTH-31")
async def test_the_lifetime_cap_of_the_entry_holds(start_with: StartWith, token: MakeToken) -> None:
    verify = await start_with("max_token_lifetime = 60")

    within = await verify(token("EdDSA", **OF_ALPHA, exp=NOW + 60))
    beyond = await verify(token("EdDSA", **OF_ALPHA, exp=NOW + 61))
    better_auths = await verify(token("EdDSA", exp=NOW + 61))

    assert (within.status_code, better_auths.status_code) == (200, 200)
    assert_refused(beyond, "`max_token_lifetime` of [alpha]")


@pytest.mark.spec("AUTH-30")
async def test_without_a_cap_of_its_own_the_general_one_holds(
    start_with: StartWith, token: MakeToken
) -> None:
    verify = await start_with(auth_max_token_lifetime=60)

    assert_refused(await verify(token("EdDSA", **OF_ALPHA, exp=NOW + 61)), "60 seconds")


@pytest.mark.spec("AUTH-31")
@pytest.mark.parametrize(("iss", "name"), [(ALPHA, "alpha"), (BETA, "better-auth")])
async def test_a_refusal_is_logged_with_the_issuer_whose_rules_held(
    start_with: StartWith, token: MakeToken, iss: str, name: str
) -> None:
    verify = await start_with()

    with capture_logs() as lines:
        await verify(token("EdDSA", iss=iss))

    assert [line["issuer"] for line in lines if line["event"] == "token_refused"] == [name]


@pytest.mark.spec("AUTH-27")
async def test_one_issuer_that_is_down_does_not_hold_up_the_others(
    start_with: StartWith, token: MakeToken, other_issuer: Any
) -> None:
    await other_issuer.stop()
    verify = await start_with(beta(other_issuer))

    up, down = await verify(token("EdDSA", **OF_ALPHA)), await verify(token("EdDSA", **OF_BETA))

    assert (up.status_code, down.status_code) == (200, 503)
