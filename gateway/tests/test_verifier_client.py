"""A verifier that cannot tell is never a refused token."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from starlette.responses import JSONResponse, RedirectResponse, Response

from gateway_service.authentication import verifier_client

if TYPE_CHECKING:
    from gateway.tests.conftest import FakeVerifier, Gateway

TASKS = "/api/v1/tasks"


@pytest.mark.spec("AUTH-23")
async def test_without_the_verifier_an_unknown_token_is_unavailable(
    gateway: "Gateway", verifier: "FakeVerifier", token: str
) -> None:
    await verifier.stop()

    response = await gateway.get(TASKS, token)

    assert (response.status_code, response.json()["code"]) == (503, "auth_unavailable")
    assert response.headers["retry-after"] == "2"
    assert "www-authenticate" not in response.headers


@pytest.mark.spec("AUTH-23")
async def test_without_the_verifier_known_tokens_keep_working(
    gateway: "Gateway", verifier: "FakeVerifier", token: str
) -> None:
    await gateway.get(TASKS, token)
    await verifier.stop()

    response = await gateway.get(TASKS, token)

    assert response.status_code == 200


@pytest.mark.spec("AUTH-23")
async def test_a_verifier_that_is_back_is_asked_again(
    gateway: "Gateway", verifier: "FakeVerifier", make_token: Callable[..., str]
) -> None:
    await gateway.me(make_token())
    await verifier.stop()
    during = await gateway.me(make_token())
    await verifier.start()

    after = await gateway.me(make_token())

    assert (during.status_code, after.status_code) == (503, 200)


@pytest.mark.spec("AUTH-23")
@pytest.mark.parametrize(
    "answer",
    [
        Response(status_code=500),
        Response("<html>", media_type="text/html"),
        JSONResponse({}),
        JSONResponse([]),
        JSONResponse({"user_id": "alice", "issuer": "i", "expires_at": "soon"}),
        RedirectResponse("/elsewhere"),
        Response("proxy says no", 401),
        JSONResponse({"code": "identity_invalid", "detail": "No."}, 401),
        JSONResponse({"code": "token_invalid"}, 401),
        Response(status_code=403),
    ],
)
async def test_an_answer_that_is_neither_yes_nor_no_is_unavailable(
    gateway: "Gateway", verifier: "FakeVerifier", token: str, answer: Response
) -> None:
    verifier.answer = answer

    response = await gateway.me(token)

    assert (response.status_code, response.json()["code"]) == (503, "auth_unavailable")


@pytest.mark.spec("AUTH-23")
async def test_the_verifiers_own_time_to_wait_is_passed_on(
    gateway: "Gateway", verifier: "FakeVerifier", token: str
) -> None:
    verifier.answer = Response(status_code=503, headers={"Retry-After": "7"})

    response = await gateway.me(token)

    assert (response.status_code, response.headers["retry-after"]) == (503, "7")


@pytest.mark.spec("AUTH-23")
async def test_a_verifier_that_hangs_is_unavailable(
    gateway: "Gateway",
    verifier: "FakeVerifier",
    token: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(verifier_client, "TIMEOUT_SECONDS", 0.1)
    verifier.may_answer.clear()

    response = await gateway.me(token)

    assert (response.status_code, response.json()["code"]) == (503, "auth_unavailable")


@pytest.mark.spec("GW-14")
async def test_the_verifier_is_told_the_request_id(
    gateway: "Gateway", verifier: "FakeVerifier", token: str
) -> None:
    await gateway.get(TASKS, token, headers={"X-Request-Id": "story-8"})

    assert verifier.request_ids == ["story-8"]
