"""Users of a real Better Auth server reach their own tasks, and nobody else's."""

import asyncio
import hashlib
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import jwt
import pytest
from httpx import AsyncClient

from devkit.process import inherited_environment
from devkit.pytest_plugin import CreateDatabase, Report
from devkit.stack import Stack, running_stack

ISSUER = Path(__file__).parents[1] / "issuer"
INSTALL_LIMIT, START_LIMIT = 300, 60
TASKS = "/api/v1/tasks"
PAGE = "https://app.test"


class Issuer:
    """A running Better Auth server, and what a frontend does with it."""

    def __init__(self, url: str, secret: str) -> None:
        self.url = url
        self.secret = secret

    async def sign_up(self, name: str) -> tuple[AsyncClient, str]:
        """Sign a new user up; return a client that holds their session, and their id."""
        client = AsyncClient(base_url=f"{self.url}/api/auth", trust_env=False)
        email = f"{secrets.token_hex(8)}@example.test"
        body = {"name": name, "email": email, "password": secrets.token_urlsafe()}
        answer = (await client.post("/sign-up/email", json=body)).raise_for_status()
        return client, answer.json()["user"]["id"]

    async def plugin_token(self, session: AsyncClient, _user_id: str) -> str:
        """Return the token of the `jwt()` plugin."""
        token: str = (await session.get("/token")).raise_for_status().json()["token"]
        return token

    async def hand_made_token(self, _session: AsyncClient, user_id: str) -> str:
        """Return a token signed by jose with the shared secret."""
        environment = inherited_environment() | {"BETTER_AUTH_SECRET": self.secret}
        return (await _run("node", "sign.mjs", user_id, environment=environment)).strip()


async def _run(*command: str, environment: dict[str, str] | None = None) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ISSUER, env=environment, stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(INSTALL_LIMIT):
        said, _ = await process.communicate()
    assert process.returncode == 0, command
    return said.decode()


async def _install() -> None:
    lock = hashlib.sha256((ISSUER / "package-lock.json").read_bytes()).hexdigest()
    stamp = ISSUER / "node_modules" / ".installed"
    if not stamp.exists() or stamp.read_text() != lock:
        await _run("npm", "ci", "--no-progress")
        stamp.write_text(lock)


@asynccontextmanager
async def _running_issuer(
    database_url: str, cookie_signed_by: str = "secret"
) -> AsyncIterator[Issuer]:
    secret = secrets.token_urlsafe(32)
    given = {
        "BETTER_AUTH_SECRET": secret,
        "DATABASE_URL": database_url,
        "COOKIE_SIGNED_BY": cookie_signed_by,
    }
    process = await asyncio.create_subprocess_exec(
        *("node", "server.mjs"),
        cwd=ISSUER,
        env=inherited_environment() | given,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_LIMIT):
            url = json.loads(await process.stdout.readline())["url"]
        yield Issuer(url, secret)
    finally:
        process.stdin.close()
        async with asyncio.timeout(START_LIMIT):
            await process.wait()


@asynccontextmanager
async def _running_system(
    create_database: CreateDatabase, redis_url: str, cookie_signed_by: str
) -> AsyncIterator[tuple[Issuer, Stack]]:
    await _install()
    async with _running_issuer(await create_database(), cookie_signed_by) as issuer:
        trust = {"BETTER_AUTH_URL": issuer.url, "BETTER_AUTH_SECRET": issuer.secret}
        async with running_stack(
            database_url=await create_database(),
            redis_url=redis_url,
            environment={"auth-verifier": trust, "gateway": {"CORS_ORIGINS": PAGE}},
        ) as stack:
            yield issuer, stack


@pytest.fixture(scope="module")
async def system(
    create_database: CreateDatabase, redis_url: str
) -> AsyncIterator[tuple[Issuer, Stack]]:
    """Give a Better Auth server and a system that trusts it."""
    async with _running_system(create_database, redis_url, "secret") as running:
        yield running


@pytest.fixture(scope="module")
async def keyed_system(
    create_database: CreateDatabase, redis_url: str
) -> AsyncIterator[tuple[Issuer, Stack]]:
    """Give the same, where the session cookie is signed with a key of the JWKS."""
    async with _running_system(create_database, redis_url, "key") as running:
        yield running


@pytest.fixture(params=["system", "keyed_system"], ids=["by secret", "by key"])
def either_system(request: pytest.FixtureRequest) -> tuple[Issuer, Stack]:
    """Give the one system and the other."""
    running: tuple[Issuer, Stack] = request.getfixturevalue(request.param)
    return running


GetToken = Callable[[Issuer, AsyncClient, str], Awaitable[str]]


@pytest.mark.spec("RUN-11", "AUTH-8", "AUTH-9", "AUTH-11", "AUTH-12", "TASK-8")
@pytest.mark.parametrize(
    ("get_token", "kind"),
    [
        (Issuer.plugin_token, "EdDSA, of GET /api/auth/token"),
        (Issuer.hand_made_token, "HS256, made by hand with jose"),
    ],
    ids=["EdDSA", "HS256"],
)
async def test_a_better_auth_user_reaches_their_tasks_and_nobody_elses(
    system: tuple[Issuer, Stack],
    connect: Callable[..., Awaitable[AsyncClient]],
    report: Report,
    get_token: GetToken,
    kind: str,
) -> None:
    issuer, stack = system
    people = {}
    for name in ("Ada", "Mallory"):
        session, user_id = await issuer.sign_up(name)
        report(f"  sign-up: {name} is user {user_id}")
        token = await get_token(issuer, session, user_id)
        await session.aclose()
        assert jwt.get_unverified_header(token)["alg"] == kind.partition(",")[0]
        report(f"  token: {name}'s is {kind}")
        people[name] = await connect(stack.url, {"Authorization": f"Bearer {token}"})
    ada, mallory = people.values()

    created = await ada.post(TASKS, json={"title": "Write to Ada"})
    address = created.headers["location"]
    report(f"  create: {created.status_code} {address}")
    listed = await ada.get(TASKS)
    report(f"  list: Ada sees {[task['title'] for task in listed.json()['items']]}")
    completed = await ada.post(f"{address}/complete")
    report(f"  complete: {completed.status_code} completed={completed.json()['completed']}")
    foreign, others = await mallory.get(address), await mallory.get(TASKS)
    report(f"  other user: {foreign.status_code} on Ada's task, sees {others.json()['items']}")

    assert created.status_code == 201
    assert [task["id"] for task in listed.json()["items"]] == [created.json()["id"]]
    assert completed.json()["completed"] is True
    assert foreign.status_code == 404
    assert others.json()["items"] == []


@pytest.mark.spec("AUTH-1", "AUTH-13")
async def test_a_better_auth_session_token_is_refused_with_what_to_send_instead(
    system: tuple[Issuer, Stack], connect: Callable[..., Awaitable[AsyncClient]]
) -> None:
    issuer, stack = system
    session, _ = await issuer.sign_up("Ada")
    opaque = session.cookies["better-auth.session_token"]
    await session.aclose()
    client = await connect(stack.url, {"Authorization": f"Bearer {opaque}"})

    answer = await client.get(TASKS)

    assert answer.status_code == 401
    assert answer.json()["code"] == "token_invalid"
    assert "jwt()" in answer.json()["detail"]
    assert opaque not in answer.text


def _cookies(session: AsyncClient) -> dict[str, str]:
    """Return the header a browser sends from the page, with all that Better Auth has set."""
    pairs = (f"{cookie.name}={cookie.value}" for cookie in session.cookies.jar)
    return {"Cookie": "; ".join(pairs), "Origin": PAGE}


@pytest.mark.spec("AUTH-34", "AUTH-35", "AUTH-36", "AUTH-38", "AUTH-41")
@pytest.mark.parametrize("name", ["Ada", "A" * 5000], ids=["whole", "in pieces"])
async def test_a_session_cookie_lets_in_until_its_session_logs_out(
    either_system: tuple[Issuer, Stack],
    connect: Callable[..., Awaitable[AsyncClient]],
    name: str,
) -> None:
    issuer, stack = either_system
    session, user_id = await issuer.sign_up(name)
    headers = _cookies(session)
    client = await connect(stack.url, {})

    me = await client.get("/api/v1/me", headers=headers)
    created = await client.post(TASKS, json={"title": "x"}, headers=headers)
    elsewhere = await client.post(TASKS, json={"title": "x"}, headers={**headers, "Origin": "x"})
    logged_out = await client.post("/api/v1/auth/logout", headers=headers)
    await session.get("/get-session", params={"disableCookieCache": "true"})
    renewed = _cookies(session)
    after = await client.get("/api/v1/me", headers=renewed)
    await session.aclose()

    assert ("session_data.1=" in headers["Cookie"]) == (len(name) > 5)
    assert (me.json()["user_id"], created.status_code) == (user_id, 201)
    assert (elsewhere.status_code, logged_out.status_code) == (403, 204)
    assert renewed["Cookie"] != headers["Cookie"]
    assert (after.status_code, after.json()["code"]) == (401, "token_revoked")


@pytest.mark.spec("AUTH-37")
async def test_the_value_of_a_session_cookie_is_no_bearer_token(
    either_system: tuple[Issuer, Stack], connect: Callable[..., Awaitable[AsyncClient]]
) -> None:
    issuer, stack = either_system
    session, _ = await issuer.sign_up("Ada")
    value = session.cookies["better-auth.session_data"]
    await session.aclose()
    client = await connect(stack.url, {"Authorization": f"Bearer {value}"})

    answer = await client.get(TASKS)

    assert (answer.status_code, answer.json()["code"]) == (401, "token_invalid")
    assert "session cookie" in answer.json()["detail"]
