"""How a refusal looks to the caller, and in the log."""

from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient, Response
from structlog.testing import capture_logs

from auth_verifier.main import build_api, create_app
from auth_verifier.settings import Settings

MakeToken = Callable[..., str]
Verify = Callable[[str], Awaitable[Response]]
JSON = {"content-type": "application/json"}


@pytest.mark.spec("AUTH-13", "ERR-1")
@pytest.mark.parametrize(
    ("claims", "code"), [({"sub": ...}, "token_invalid"), ({"exp": 1_799_999_999}, "token_expired")]
)
async def test_a_refusal_is_a_problem_that_challenges(
    verify: Verify, token: MakeToken, claims: dict[str, Any], code: str
) -> None:
    response = await verify(token(**claims))

    assert response.status_code == 401
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    members = {"type", "title", "status", "detail", "code", "request_id"}
    assert response.json().keys() == members | {"reason", "issuer", "kid"}
    assert response.json()["type"].endswith(f"/docs/errors#{code}")


@pytest.mark.spec("AUTH-13")
async def test_an_opaque_session_token_is_told_which_token_to_send(verify: Verify) -> None:
    response = await verify("kYk3ZbqMhE0dJ2n7W4tVxPfC8sLrGuA1")

    assert "jwt() plugin" in response.json()["detail"]


@pytest.mark.spec("AUTH-13")
async def test_a_mail_verification_token_of_the_same_secret_is_refused(
    verify: Verify, token: MakeToken
) -> None:
    link = {"email": "a@b.example", "userId": "u1", "sub": ..., "iss": ..., "aud": ...}

    assert (await verify(token(**link))).json()["code"] == "token_invalid"


@pytest.mark.spec("AUTH-24")
@pytest.mark.parametrize(
    ("by", "claims", "code"),
    [
        ("EdDSA", {"sub": ...}, "token_invalid"),
        ("ES256", {"exp": 1_799_999_999}, "token_expired"),
    ],
)
async def test_a_refusal_is_logged_without_the_token(
    verify: Verify, token: MakeToken, by: str, claims: dict[str, Any], code: str
) -> None:
    text = token(by, **claims)

    with capture_logs() as lines:
        response = await verify(text)

    (line,) = (line for line in lines if line["event"] == "token_refused")
    assert (line["code"], line["issuer"], line["kid"]) == (code, "better-auth", f"key-{by}")
    assert line["token_hash"] == sha256(text.encode()).hexdigest()[:12]
    assert not [part for part in text.split(".") if part in f"{lines}{response.text}"]


@pytest.mark.spec("AUTH-24")
async def test_a_text_that_is_no_token_is_logged_by_its_hash_alone(verify: Verify) -> None:
    text = "kYk3ZbqMhE0dJ2n7W4tVxPfC8sLrGuA1"

    with capture_logs() as lines:
        response = await verify(text)

    assert [line["kid"] for line in lines] == [None]
    assert text not in f"{lines}{response.text}"


@pytest.mark.spec("AUTH-24")
async def test_a_good_token_is_not_logged(verify: Verify, token: MakeToken) -> None:
    with capture_logs() as lines:
        await verify(token())

    assert lines == []


@pytest.mark.spec("ERR-2")
@pytest.mark.parametrize("body", ["{}", '{"token":null}', '{"token":1}', '{"token":["a"]}', "[]"])
async def test_a_question_without_a_token_is_a_validation_error(body: str) -> None:
    app = build_api()
    app.state.verifier = None
    async with AsyncClient(transport=ASGITransport(app), base_url="http://verifier") as client:
        response = await client.post("/internal/v1/verify", content=body, headers=JSON)

    assert (response.status_code, response.json()["code"]) == (422, "validation_failed")


@pytest.mark.spec("ERR-1")
def test_the_contract_names_every_way_to_fail() -> None:
    operation = build_api().openapi()["paths"]["/internal/v1/verify"]["post"]

    assert operation["operationId"] == "verify_token"
    assert operation["responses"].keys() == {"200", "401", "422", "503"}


async def test_the_verifier_is_ready_while_its_issuer_is_down(issuer: Any) -> None:
    await issuer.stop()
    app = create_app(Settings.model_validate({"better_auth_url": issuer.url}))

    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=ASGITransport(app), base_url="http://verifier") as client,
    ):
        response = await client.get("/readyz")

    assert response.status_code == 200
