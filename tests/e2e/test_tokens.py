"""Good and bad tokens at the public door, as a frontend or an attacker brings them."""

import time
from collections.abc import Callable

import pytest
from httpx import AsyncClient

from devkit.forge import Forge
from devkit.stack import Stack
from devkit.token import make_token

TASKS = "/api/v1/tasks"


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.spec("AUTH-18", "PH2-7")
@pytest.mark.parametrize("path", [TASKS, "/api/v1/me", "/api/tasks", "/api/ada/tasks"])
async def test_without_a_token_nothing_is_served(anonymous: AsyncClient, path: str) -> None:
    answer = await anonymous.get(path)

    assert answer.status_code == 401
    assert answer.json()["code"] == "token_missing"
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.spec("AUTH-18")
async def test_a_token_in_the_query_string_is_never_read(
    anonymous: AsyncClient, stack: Stack
) -> None:
    token = stack.token("ada")

    answer = await anonymous.get(TASKS, params={"token": token, "access_token": token})

    assert answer.json()["code"] == "token_missing"


@pytest.mark.spec("AUTH-18")
async def test_two_authorization_headers_are_refused(anonymous: AsyncClient, stack: Stack) -> None:
    headers = [("Authorization", f"Bearer {stack.token(user)}") for user in ("ada", "bob")]

    answer = await anonymous.get(TASKS, headers=headers)

    assert answer.status_code == 401
    assert answer.json()["code"] == "token_invalid"


@pytest.mark.spec("AUTH-1", "AUTH-2", "AUTH-5", "AUTH-6", "AUTH-7", "AUTH-10", "AUTH-11")
@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda _: "junk", "token_invalid"),
        (lambda _: "a.b.c", "token_invalid"),
        (lambda _: "x" * 20_000, "token_invalid"),
        (lambda _: make_token("another secret of 32 bytes or so", "ada"), "token_invalid"),
        (lambda stack: stack.token("ada", exp=int(time.time()) - 60), "token_expired"),
        (lambda stack: stack.token("ada", exp=None), "token_invalid"),
        (lambda stack: stack.token("ada", nbf=int(time.time()) + 600), "token_invalid"),
        (lambda stack: stack.token("ada", lifetime=9 * 24 * 60 * 60), "token_invalid"),
        (lambda stack: stack.token("ada", sub=None, id="ada", email="a@x.test"), "token_invalid"),
        (lambda stack: stack.token("ada", aud="https://elsewhere.test"), "token_invalid"),
        (lambda stack: stack.token("ada")[:-4] + "AAAA", "token_invalid"),
    ],
    ids=[
        *("junk", "no JSON", "too long", "wrong secret", "expired", "no exp", "not yet"),
        *("lives too long", "no sub", "unexpected aud", "altered"),
    ],
)
async def test_a_bad_token_is_refused_and_the_answer_tells_why(
    anonymous: AsyncClient, stack: Stack, make: Callable[[Stack], str], code: str
) -> None:
    token = make(stack)

    answer = await anonymous.get(TASKS, headers=_bearer(token))

    assert answer.status_code == 401
    assert answer.json()["code"] == code
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert token not in answer.text


@pytest.mark.spec("AUTH-12", "AUTH-13")
async def test_a_token_signed_by_a_key_of_the_issuer_is_accepted(
    anonymous: AsyncClient, forge: Forge
) -> None:
    answer = await anonymous.get("/api/v1/me", headers=_bearer(forge.token("EdDSA")))

    assert answer.status_code == 200
    assert answer.json()["user_id"] == "ada"


@pytest.mark.spec("AUTH-24")
async def test_no_part_logs_a_token_good_or_bad(anonymous: AsyncClient, stack: Stack) -> None:
    good = stack.token("ada")
    bad = good[:-4] + "AAAA"

    for token in (good, bad):
        await anonymous.get(TASKS, headers=_bearer(token))

    logs = "".join(stack.log(part) for part in ("gateway", "auth-verifier", "tasks"))
    assert "token_invalid" in logs
    assert good not in logs
    assert bad not in logs
