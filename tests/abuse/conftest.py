"""Two doors for attackers to try, and the tally of who was let in."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import astuple, dataclass, field
from typing import Any

import httpx
import pytest
from httpx import ASGITransport, AsyncClient

from auth_verifier.main import create_app
from auth_verifier.settings import Settings
from devkit.forge import Forge
from devkit.stack import Stack
from service_kit.edge_head import MAX_HEAD_BYTES

GROUPS = {
    "ABUSE-1": "alg none",
    "ABUSE-2": "algorithm confusion",
    "ABUSE-3": "kid",
    "ABUSE-4": "jku, x5u, jwk, x5c",
    "ABUSE-5": "crit",
    "ABUSE-6": "duplicate JSON names",
    "ABUSE-7": "nested, oversized, odd JSON",
    "ABUSE-8": "non-finite and string dates",
    "ABUSE-9": "milliseconds",
    "ABUSE-10": "base64",
    "ABUSE-11": "ECDSA and EdDSA signatures",
    "ABUSE-12": "small RSA keys",
    "ABUSE-13": "sub",
    "ABUSE-14": "CRLF and Unicode in sub",
    "ABUSE-15": "two Authorization headers",
    "ABUSE-16": "Bearer",
    "ABUSE-17": "token elsewhere",
    "ABUSE-18": "positive controls",
    "ABUSE-19": "mutations",
    "ABUSE-20": "one credential as the other",
    "ABUSE-21": "session cookies",
    "ABUSE-22": "cookies without a listed Origin",
    "ABUSE-23": "revoked tokens",
    "ABUSE-24": "Wycheproof's signatures",
    "SMUG-1": "lengths",
    "SMUG-2": "transfer codings",
    "SMUG-3": "lines",
    "SMUG-4": "targets",
    "SMUG-5": "Host",
    "SMUG-6": "chunks",
    "SMUG-7": "trailers",
    "SMUG-8": "positive controls, Upgrade",
}
COOKIE = "better-auth.session_data"
Headers = Sequence[tuple[bytes, bytes]]
JSON = {"content-type": "application/json"}
Check = Callable[..., Awaitable[None]]
Verify = Callable[[str], Awaitable[dict[str, Any] | None]]
Record = Callable[..., None]


@dataclass
class Row:
    """What happened to the cases of one group."""

    cases: int = 0
    wrongly_accepted: int = 0
    wrongly_refused: int = 0


@dataclass(frozen=True)
class Answer:
    """Whom a door took the caller for, if it let one in."""

    status: int
    user_id: str | None
    verdict: dict[str, Any] = field(default_factory=dict)


_TALLY = pytest.StashKey[dict[str, Row]]()


class Doors:
    """The gateway, and the verifier behind it that no attacker reaches."""

    def __init__(self, stack: Stack, client: AsyncClient) -> None:
        self._stack = stack
        self._client = client

    async def gateway(self, headers: Headers, method: str = "GET", **request: Any) -> Answer:
        """Ask who we are with these headers."""
        url = f"{self._stack.url}/api/v1/me"
        return _answer(await self._client.request(method, url, headers=headers, **request))

    async def verifier(self, token: str, kind: str = "bearer") -> Answer:
        """Ask whose token this is, as the gateway does."""
        url = f"{self._stack.verifier_url}/internal/v1/verify"
        # Escaped, because JSON can spell what UTF-8 cannot: half a surrogate pair.
        body = json.dumps({"token": token, "kind": kind})
        return _answer(await self._client.post(url, content=body, headers=JSON))

    async def both(self, token: str) -> list[Answer]:
        return [await self.gateway(_bearer(token)), await self.verifier(token)]

    async def both_by_cookie(self, token: str) -> list[Answer]:
        cookie = [(b"cookie", f"{COOKIE}={token}".encode())]
        return [await self.gateway(cookie), await self.verifier(token, "session_cookie")]


def _answer(response: httpx.Response) -> Answer:
    if response.status_code != 200:
        return Answer(response.status_code, None)
    verdict = response.json()
    return Answer(200, verdict["user_id"], verdict)


def _bearer(token: str) -> Headers:
    return [(b"authorization", b"Bearer " + token.encode())]


@pytest.fixture(scope="session")
async def verifier(issuer_url: str, stack: Stack) -> AsyncIterator[Verify]:
    """Give a verifier within this process, set up as the stack's: thousands of questions a second.

    It tells the verdict, or None.
    """
    settings = Settings.model_validate(
        {"better_auth_url": issuer_url, "better_auth_secret": stack.secret}
    )
    app = create_app(settings)
    transport = ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=transport, base_url="http://verifier", headers=JSON) as client,
    ):

        async def verify(token: str) -> dict[str, Any] | None:
            body = json.dumps({"token": token})
            answer = _answer(await client.post("/internal/v1/verify", content=body))
            assert answer.status in {200, 401, 503}
            return answer.verdict or None

        yield verify


@pytest.fixture(scope="session")
async def doors(stack: Stack) -> AsyncIterator[Doors]:
    async with AsyncClient(trust_env=False, timeout=30) as client:
        yield Doors(stack, client)


@pytest.fixture(scope="session")
def record(request: pytest.FixtureRequest) -> Record:
    """Count a case of a group: was anybody let in, and should they have been?"""
    tally = _tally(request.config)

    def count(group: str, *, right: bool, accepted: bool) -> None:
        row = tally[group]
        row.cases += 1
        row.wrongly_accepted += accepted and not right
        row.wrongly_refused += right and not accepted

    return count


@pytest.fixture
def group(request: pytest.FixtureRequest) -> str:
    """Give the requirement the test is marked with."""
    mark = request.node.get_closest_marker("spec")
    return str(mark.args[0])


@pytest.fixture
def refused(doors: Doors, record: Record, group: str) -> Check:
    """Check that a token is refused at both doors, or past the gateway only.

    An `unknown_key` may also be answered by 503: it could be one the issuer has just made.
    """

    async def check(token: str, *, unknown_key: bool = False, at_gateway: bool = True) -> None:
        answers = await doors.both(token) if at_gateway else [await doors.verifier(token)]
        record(group, right=False, accepted=any(answer.status == 200 for answer in answers))
        wanted = {401, 503} if unknown_key else {401}
        # Such a head is refused before anybody looks for a token.
        wanted |= {431} if len(token) > MAX_HEAD_BYTES else set()
        assert {answer.status for answer in answers} <= wanted, answers

    return check


@pytest.fixture
def accepted(doors: Doors, record: Record, group: str) -> Check:
    """Check that a token is accepted at both doors, as this user's."""

    async def check(token: str, user_id: str = "ada") -> None:
        users = {answer.user_id for answer in await doors.both(token)}
        record(group, right=True, accepted=None not in users)
        assert users == {user_id}

    return check


@pytest.fixture
def refused_cookie(doors: Doors, record: Record, group: str) -> Check:
    """Check that the value of a session cookie is refused at both doors."""

    async def check(value: str) -> None:
        answers = await doors.both_by_cookie(value)
        record(group, right=False, accepted=any(answer.status == 200 for answer in answers))
        assert {answer.status for answer in answers} == {401}, answers

    return check


@pytest.fixture
def accepted_cookie(doors: Doors, record: Record, group: str) -> Check:
    """Check that the value of a session cookie is accepted at both doors, as Ada's."""

    async def check(value: str) -> None:
        users = {answer.user_id for answer in await doors.both_by_cookie(value)}
        record(group, right=True, accepted=None not in users)
        assert users == {"ada"}

    return check


@pytest.fixture
def harmless(doors: Doors, record: Record, group: str) -> Check:
    """Check that a token is refused, or accepted as Ada's, as whose it was signed."""

    async def check(token: str) -> None:
        users = {answer.user_id for answer in await doors.both(token)}
        record(group, right=False, accepted=bool(users - {None, "ada"}))
        assert users <= {None, "ada"}

    return check


@pytest.fixture
def refused_request(doors: Doors, record: Record, group: str) -> Check:
    """Check that the gateway lets nobody in by these headers."""

    async def check(headers: Headers, **request: Any) -> None:
        answer = await doors.gateway(headers, **request)
        record(group, right=False, accepted=answer.status == 200)
        assert answer.status == 401

    return check


@pytest.fixture
def accepted_request(doors: Doors, record: Record, group: str) -> Check:
    """Check that the gateway lets Ada in by these headers."""

    async def check(headers: Headers, **request: Any) -> None:
        answer = await doors.gateway(headers, **request)
        record(group, right=True, accepted=answer.status == 200)
        assert answer.user_id == "ada"

    return check


@pytest.fixture
def good(forge: Forge) -> str:
    """Give a good token of Ada's."""
    return forge.token()


def _tally(config: pytest.Config) -> dict[str, Row]:
    return config.stash.setdefault(_TALLY, {name: Row() for name in GROUPS})


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand a worker's tally to the process that prints it (pytest-xdist)."""
    if hasattr(session.config, "workeroutput"):
        rows = {name: astuple(row) for name, row in _tally(session.config).items()}
        session.config.workeroutput["abuse"] = rows


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Add a worker's tally to ours; a worker that was killed has none."""
    for name, cells in getattr(node, "workeroutput", {}).get("abuse", {}).items():
        row = _tally(node.config)[name]
        row.cases += cells[0]
        row.wrongly_accepted += cells[1]
        row.wrongly_refused += cells[2]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the suite must show: nobody wrongly let in, nobody wrongly kept out."""
    rows = {name: astuple(row) for name, row in _tally(terminalreporter.config).items()}
    sums = [sum(column) for column in zip(*rows.values(), strict=True)]
    if not sums[0]:
        return
    terminalreporter.section("abuse of authentication and of HTTP")
    terminalreporter.write_line(_line("group", "cases", "wrongly accepted", "wrongly refused"))
    for name, row in rows.items():
        terminalreporter.write_line(_line(f"{name} {GROUPS[name]}", *row))
    terminalreporter.write_line(_line("all", *sums))


def _line(title: str, *cells: object) -> str:
    return f"{title:<40}{cells[0]:>8}{cells[1]:>18}{cells[2]:>17}"
