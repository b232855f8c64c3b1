"""Better Auth's session cookie: found in all its forms, and let in only from listed pages."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from gateway.tests.conftest import EchoUpstream, Entries, FakeVerifier, Gateway, MakeGateway

TASKS = "/api/v1/tasks"
ME = "/api/v1/me"
ORIGIN = "https://app.example.com"
NAME = "better-auth.session_data"
SECURE = f"__Secure-{NAME}"
SESSION_TOKEN = "wT8pQ2rN5vX1yZ4aB7cD0eF3gH6iJ9kL.c2lnbmF0dXJl%3D"
UNSAFE = ["POST", "PUT", "PATCH", "DELETE"]
NOT_LISTED: list[list[str]] = [
    *([], [""], ["null"], ["https://evil.example"], [f"{ORIGIN}/"], [f"{ORIGIN}:443"]),
    *([ORIGIN.upper()], [f"{ORIGIN}.evil.example"], ["http://app.example.com"]),
    *([ORIGIN, ORIGIN], [ORIGIN, "https://evil.example"], [f"{ORIGIN}, {ORIGIN}"]),
]
FOREIGN = [
    *(("POST", origins) for origins in NOT_LISTED),
    *((method, []) for method in (*UNSAFE, "MKCOL")),
]


def pieces(name: str, value: str, count: int) -> list[str]:
    size = -(-len(value) // count)
    cut = [value[start : start + size] for start in range(0, len(value), size)]
    assert len(cut) == count
    return [f"{name}.{number}={piece}" for number, piece in enumerate(cut)]


def written(form: str, value: str) -> str:
    return {
        "whole": f"{NAME}={value}",
        "secure": f"{SECURE}={value}",
        "among others": f"theme=dark; {NAME}={value}; {NAME}x=1; x{NAME}=2; a",
        "pieces": "; ".join(pieces(NAME, value, 3)),
        "pieces out of order": "; ".join(reversed(pieces(SECURE, value, 12))),
        "one piece": f"{NAME}.0={value}",
        "pieces of other names": f"{NAME}.0={value}; {NAME}.01=x; {NAME}.x=y; {NAME}.=z",
        "piece on its way out": f"{NAME}.0={value}; {NAME}.1=; {NAME}=",
        "secure before plain": f"{NAME}=a.b.c; {SECURE}={value}",
        "secure pieces before plain": f"{NAME}=a.b.c; " + "; ".join(pieces(SECURE, value, 2)),
        "whole before pieces": f"{NAME}.0=a.b.c; {NAME}={value}",
        "no space": f"a=b;{NAME}={value};c=d",
    }[form]


FORMS = [
    *("whole", "secure", "among others", "pieces", "pieces out of order", "one piece"),
    *("pieces of other names", "piece on its way out", "secure before plain"),
    *("secure pieces before plain", "whole before pieces", "no space"),
]


@pytest.mark.spec("AUTH-34")
@pytest.mark.parametrize("form", FORMS)
async def test_the_session_cookie_is_found_in_each_of_its_forms(
    gateway: "Gateway", verifier: "FakeVerifier", token: str, form: str
) -> None:
    response = await gateway.get(ME, headers={"Cookie": written(form, token)})

    assert response.json()["user_id"] == "alice"
    assert (verifier.asked, verifier.kinds) == ([token], ["session_cookie"])


@pytest.mark.spec("AUTH-34")
async def test_pieces_may_come_in_several_cookie_headers(gateway: "Gateway", token: str) -> None:
    headers = [("Cookie", piece) for piece in pieces(NAME, token, 3)]

    response = await gateway.client.get(ME, headers=headers)

    assert response.json()["user_id"] == "alice"


@pytest.mark.spec("AUTH-34")
async def test_the_prefix_of_the_cookie_can_be_another(
    make_gateway: "MakeGateway", token: str
) -> None:
    gateway = await make_gateway(better_auth_cookie_prefix="my-app")

    ours = await gateway.get(ME, headers={"Cookie": f"my-app.session_data={token}"})
    usual = await gateway.get(ME, headers={"Cookie": f"{NAME}={token}"})

    assert (ours.status_code, usual.status_code) == (200, 401)


@pytest.mark.spec("AUTH-34")
@pytest.mark.parametrize(
    "cookies",
    [
        f"{NAME}=TOKEN; {NAME}=TOKEN",
        f"{NAME}=a.b.c; {NAME}=TOKEN",
        f"{NAME}.0=TOKEN; {NAME}.0=TOKEN",
        f"{NAME}.1=TOKEN",
        f"{NAME}.0=TOKEN; {NAME}.2=x",
        f"{SECURE}.1=x; {NAME}=TOKEN",
    ],
)
async def test_a_cookie_twice_or_a_piece_missing_is_refused_unasked(
    gateway: "Gateway", verifier: "FakeVerifier", token: str, cookies: str
) -> None:
    response = await gateway.get(ME, headers={"Cookie": cookies.replace("TOKEN", token)})

    assert (response.status_code, response.json()["code"]) == (401, "token_invalid")
    assert verifier.asked == []


@pytest.mark.spec("AUTH-34")
async def test_a_bearer_token_goes_before_the_cookie(
    gateway: "Gateway", verifier: "FakeVerifier", token: str
) -> None:
    headers = {"Cookie": f"{NAME}=a.b.c; {NAME}=d.e.f"}

    response = await gateway.get(ME, token, headers=headers)

    assert response.status_code == 200
    assert verifier.kinds == ["bearer"]


@pytest.mark.spec("AUTH-34")
@pytest.mark.parametrize("authorization", ["", "Bearer", "Basic x", "Bearer a.b.c"])
async def test_a_cookie_does_not_mend_a_bad_authorization_header(
    gateway: "Gateway", verifier: "FakeVerifier", token: str, authorization: str
) -> None:
    headers = {"Cookie": f"{NAME}={token}", "Authorization": authorization}

    response = await gateway.get(ME, headers=headers)

    assert response.status_code == 401
    assert verifier.asked == []


@pytest.mark.spec("AUTH-37")
@pytest.mark.parametrize("first", ["bearer", "session_cookie"])
async def test_what_is_remembered_of_one_kind_lets_nobody_in_by_the_other(
    make_gateway: "MakeGateway", verifier: "FakeVerifier", token: str, first: str
) -> None:
    gateways = [await make_gateway(), await make_gateway()]
    headers = {
        "bearer": {"Authorization": f"Bearer {token}"},
        "session_cookie": {"Cookie": f"{NAME}={token}"},
    }
    allowed = await gateways[0].get(ME, headers=headers.pop(first))
    verifier.refuse()
    (other,) = headers.values()

    refused = [await gateway.get(ME, headers=other) for gateway in gateways]

    assert allowed.status_code == 200
    assert [response.status_code for response in refused] == [401, 401]


@pytest.mark.spec("AUTH-37")
async def test_the_name_of_a_kind_in_front_of_a_token_crosses_nothing(
    gateway: "Gateway", token: str
) -> None:
    await gateway.get(ME, headers={"Cookie": f"{NAME}={token}"})

    response = await gateway.get(ME, headers={"Authorization": f"Bearer session_cookie:{token}"})

    assert response.status_code == 401


@pytest.mark.spec("AUTH-38")
@pytest.mark.parametrize("method", UNSAFE)
async def test_with_a_cookie_a_listed_page_may_change_things(
    gateway: "Gateway", upstream: "EchoUpstream", token: str, method: str
) -> None:
    headers = {"Cookie": f"{NAME}={token}", "Origin": ORIGIN}

    response = await gateway.client.request(method, TASKS, headers=headers)

    assert response.status_code == 200
    assert upstream.requests[-1]["method"] == method
    assert response.headers["access-control-allow-origin"] == ORIGIN


@pytest.mark.spec("AUTH-38")
@pytest.mark.parametrize(("method", "origins"), FOREIGN, ids=repr)
async def test_with_a_cookie_no_other_page_may_change_anything(
    gateway: "Gateway",
    upstream: "EchoUpstream",
    verifier: "FakeVerifier",
    token: str,
    method: str,
    origins: list[str],
) -> None:
    headers = [("Cookie", f"{NAME}={token}"), *(("Origin", origin) for origin in origins)]

    response = await gateway.client.request(method, TASKS, headers=headers)

    assert (response.status_code, response.json()["code"]) == (403, "origin_forbidden")
    assert "CORS_ORIGINS" in response.json()["detail"]
    assert (upstream.requests, verifier.asked) == ([], [])


@pytest.mark.spec("AUTH-38")
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
async def test_with_a_cookie_reading_needs_no_origin(
    gateway: "Gateway", token: str, method: str
) -> None:
    response = await gateway.client.request(method, TASKS, headers={"Cookie": f"{NAME}={token}"})

    assert response.status_code == 200


@pytest.mark.spec("AUTH-38")
async def test_with_a_bearer_token_no_origin_is_needed(gateway: "Gateway", token: str) -> None:
    headers = {"Cookie": f"{NAME}={token}", "Authorization": f"Bearer {token}"}

    response = await gateway.client.post(TASKS, headers=headers)

    assert response.status_code == 200


@pytest.mark.spec("AUTH-40")
@pytest.mark.parametrize(
    "name", ["better-auth.session_token", "__Secure-better-auth.session_token"]
)
async def test_a_session_token_cookie_alone_is_told_what_to_send(
    gateway: "Gateway", name: str
) -> None:
    response = await gateway.get(TASKS, headers={"Cookie": f"{name}={SESSION_TOKEN}"})

    assert (response.status_code, response.json()["code"]) == (401, "token_missing")
    assert response.headers["www-authenticate"] == "Bearer"
    assert "authClient.token()" in response.json()["detail"]
    assert 'strategy "jwt"' in response.json()["detail"]
    assert SESSION_TOKEN not in response.text


@pytest.mark.spec("AUTH-40")
@pytest.mark.parametrize("value", ["eyJzZXNzaW9uIjp7fX0", "a.b.c.d.e"], ids=["compact", "jwe"])
async def test_a_session_cookie_that_is_no_signed_jwt_is_told_which_strategy_is(
    gateway: "Gateway", verifier: "FakeVerifier", value: str
) -> None:
    response = await gateway.get(TASKS, headers={"Cookie": f"{NAME}={value}"})

    assert (response.status_code, response.json()["code"]) == (401, "token_invalid")
    assert 'strategy "jwt"' in response.json()["detail"]
    assert verifier.asked == []


@pytest.mark.spec("AUTH-39", "GW-1")
async def test_the_cookie_stays_at_the_gateway(
    gateway: "Gateway",
    upstream: "EchoUpstream",
    entries: "Entries",
    capsys: pytest.CaptureFixture[str],
    token: str,
) -> None:
    response = await gateway.get(TASKS, headers={"Cookie": f"{NAME}={token}"})

    value = await entries.read(token, "session_cookie")
    assert value is not None
    places = f"{upstream.requests}{response.headers}{value!r}{capsys.readouterr().out}"
    assert upstream.header("cookie") == []
    assert not [part for part in token.split(".") if part in places]
