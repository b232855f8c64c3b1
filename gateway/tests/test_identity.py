"""What the services behind are told about the caller, whatever the client said."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from starlette.responses import JSONResponse, StreamingResponse

from service_kit.errors import ServiceError
from service_kit.identity import verify_identity

if TYPE_CHECKING:
    from gateway.tests.conftest import Clock, EchoUpstream, Gateway, MakeGateway

TASKS = "/api/v1/tasks"
SPELLINGS = [
    "X-User-Id",
    "x-user-id",
    "X-USER-ID",
    "x_user_id",
    "X_User-Id",
    "X-User_Id",
    "X-User",
    "X-Identity",
    "x_identity",
    "X-IDENTITY",
]


@pytest.mark.spec("GW-1")
@pytest.mark.parametrize("name", SPELLINGS)
async def test_an_identity_header_of_the_clients_own_is_dropped(
    gateway: "Gateway", upstream: "EchoUpstream", token: str, name: str
) -> None:
    headers = [("Authorization", f"Bearer {token}"), (name, "admin"), (name, "root")]

    await gateway.client.get(TASKS, headers=headers)

    sent = dict(upstream.requests[-1]["headers"])
    names = [key for key, _ in upstream.requests[-1]["headers"]]
    about_identity = [key for key in names if key.replace("_", "-").startswith(("x-user", "x-id"))]
    assert sorted(about_identity) == ["x-identity", "x-user-id"]
    assert sent["x-user-id"] == "alice"
    assert not {"admin", "root"} & set(sent.values())


@pytest.mark.spec("GW-1")
async def test_credentials_stay_at_the_gateway(
    gateway: "Gateway", upstream: "EchoUpstream", token: str
) -> None:
    await gateway.get(TASKS, token, headers={"Cookie": "better-auth.session_token=s3cret"})

    sent = dict(upstream.requests[-1]["headers"])
    assert not {"authorization", "cookie"} & set(sent)
    assert token not in str(upstream.requests)


@pytest.mark.spec("GW-2")
@pytest.mark.parametrize("user_id", ["alice", "1", "a b", "Zoë/東京", "x" * 255, "a\nb: c"])
async def test_the_identity_is_signed_for_the_tasks_service(
    gateway: "Gateway",
    upstream: "EchoUpstream",
    identity_key: str,
    clock: "Clock",
    make_token: Callable[..., str],
    user_id: str,
) -> None:
    await gateway.get(TASKS, make_token(user_id))

    [user], [identity] = upstream.header("x-user-id"), upstream.header("x-identity")
    keys = [identity_key.encode()]
    proven = verify_identity(user, identity, keys=keys, audience="tasks", now=clock.now)
    assert proven == user_id
    with pytest.raises(ServiceError):
        verify_identity(user, identity, keys=keys, audience="others", now=clock.now)


@pytest.mark.spec("GW-2")
async def test_the_identity_is_always_good_for_a_while_and_never_over_a_minute(
    gateway: "Gateway", upstream: "EchoUpstream", clock: "Clock", token: str
) -> None:
    left = []
    for _ in range(14):
        await gateway.get(TASKS, token)
        [identity] = upstream.header("x-identity")
        left.append(int(identity.split(".")[1]) - clock.now)
        clock.advance(4.5)

    assert all(50 < seconds <= 60 for seconds in left)


@pytest.mark.spec("GW-2")
async def test_the_first_identity_key_signs(
    make_gateway: "MakeGateway",
    upstream: "EchoUpstream",
    identity_key: str,
    clock: "Clock",
    token: str,
) -> None:
    gateway = await make_gateway(identity_key=f"{identity_key},an older key of 32 bytes and more")

    await gateway.get(TASKS, token)

    [user], [identity] = upstream.header("x-user-id"), upstream.header("x-identity")
    keys = [identity_key.encode()]
    assert verify_identity(user, identity, keys=keys, audience="tasks", now=clock.now) == "alice"


@pytest.mark.spec("GW-4")
async def test_me_tells_user_issuer_and_expiry(
    gateway: "Gateway", upstream: "EchoUpstream", clock: "Clock", token: str
) -> None:
    response = await gateway.me(token)

    expires_at = datetime.fromtimestamp(int(clock.now + 3600), UTC)
    assert response.json() == {
        "user_id": "alice",
        "issuer": "better-auth",
        "expires_at": expires_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    assert upstream.requests == []


@pytest.mark.parametrize(
    "refusal",
    [
        JSONResponse({"code": "identity_invalid"}, 401),
        StreamingResponse(iter([b"no", b"pe"]), 401, {"WWW-Authenticate": "Taskgate-Identity"}),
    ],
)
async def test_a_service_that_refuses_our_signature_does_not_sign_the_user_out(
    gateway: "Gateway",
    upstream: "EchoUpstream",
    token: str,
    refusal: "JSONResponse | StreamingResponse",
) -> None:
    upstream.answer = refusal

    response = await gateway.get(TASKS, token)

    assert (response.status_code, response.json()["code"]) == (502, "upstream_failed")
    assert "IDENTITY_KEY" in response.json()["detail"]
    assert "www-authenticate" not in response.headers


async def test_the_gateway_goes_on_after_such_a_refusal(
    gateway: "Gateway", upstream: "EchoUpstream", token: str
) -> None:
    upstream.answer = JSONResponse({}, 401)
    await gateway.get(TASKS, token)
    upstream.answer = None

    response = await gateway.get(TASKS, token)

    assert response.status_code == 200
