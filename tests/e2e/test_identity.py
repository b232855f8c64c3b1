"""Nobody but the gateway says who the user is."""

import time

import pytest
from httpx import AsyncClient

from devkit.stack import Stack
from service_kit.identity import sign_identity

TASKS = "/api/v1/tasks"
FORGED = "forged"
SPELLINGS = (
    *("X-User-Id", "x-user-id", "X-USER-ID", "X_User_Id", "x_user_id", "X-User_Id", "X_USER-ID"),
    *("X-Identity", "x-identity", "X_Identity", "x_identity"),
)


@pytest.mark.spec("GW-1", "TASK-8")
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_an_identity_the_client_sends_has_no_effect(
    alice: AsyncClient, alice_id: str, mallory: AsyncClient, spelling: str, times: int
) -> None:
    await alice.post(TASKS, json={"title": "Alice's own"})

    answer = await mallory.get(TASKS, headers=[(spelling, alice_id)] * times)

    assert answer.status_code == 200
    assert answer.json()["items"] == []


@pytest.mark.spec("GW-1", "GW-2", "GW-6")
@pytest.mark.parametrize("named", ["x-user-id", "X-Identity, X-User-Id", "authorization"])
async def test_a_connection_header_cannot_take_the_identity_away(
    mallory: AsyncClient, named: str
) -> None:
    answer = await mallory.get(TASKS, headers={"Connection": named})

    assert answer.status_code == 200
    assert answer.json()["items"] == []


@pytest.mark.spec("GW-1")
async def test_an_identity_without_a_token_is_no_sign_in(
    anonymous: AsyncClient, alice_id: str
) -> None:
    answer = await anonymous.get(TASKS, headers={"X-User-Id": alice_id})

    assert answer.status_code == 401
    assert answer.json()["code"] == "token_missing"


@pytest.mark.spec("GW-3")
@pytest.mark.parametrize("why", ["nothing", "no signature", "foreign key", "audience", "expired"])
async def test_a_call_straight_to_the_tasks_service_needs_the_gateways_signature(
    anonymous: AsyncClient, stack: Stack, alice_id: str, why: str
) -> None:
    key, soon = stack.identity_key.encode(), int(time.time()) + 30
    headers = {
        "nothing": {},
        "no signature": {"X-User-Id": alice_id},
        "foreign key": sign_identity(alice_id, key=b"?" * 32, audience="tasks", expires_at=soon),
        "audience": sign_identity(alice_id, key=key, audience="billing", expires_at=soon),
        "expired": sign_identity(alice_id, key=key, audience="tasks", expires_at=soon - 60),
    }[why]

    answer = await anonymous.get(f"{stack.tasks_url}{TASKS}", headers=headers)

    assert answer.status_code == 401
    assert answer.json()["code"] == "identity_invalid"


@pytest.mark.spec("GW-3")
async def test_a_users_token_means_nothing_to_the_tasks_service(
    alice: AsyncClient, stack: Stack
) -> None:
    answer = await alice.get(f"{stack.tasks_url}{TASKS}")

    assert answer.status_code == 401
    assert answer.json()["code"] == "identity_invalid"


@pytest.mark.spec("GW-18")
@pytest.mark.parametrize(
    "path",
    [
        *("/internal/v1/verify", "/api/../internal/v1/verify", "/api/%2e%2e/openapi.json/x"),
        *("/", "/metrics", "/tasks", "/API/v1/tasks", "//api/v1/tasks"),
    ],
)
async def test_nothing_of_the_inner_services_but_the_api_can_be_reached(
    alice: AsyncClient, path: str
) -> None:
    request = alice.build_request("GET", "/")
    # As an attacker sends it: httpx itself would tidy the path up.
    request.extensions["target"] = path.encode()

    answer = await alice.send(request)

    assert answer.status_code == 404
