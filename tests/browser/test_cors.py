"""What a page can do from an origin that may call us, and from one that may not, in Chromium."""

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from devkit.chromium import chromium_page
from devkit.forge import Forge, SigningKey
from devkit.pytest_plugin import StackFactory
from devkit.stack import Stack

OF_A_WRITE = ("etag", "location", "ratelimit", "ratelimit-policy", "x-request-id", "x-sync-cursor")
EXPOSED = (*OF_A_WRITE, "content-disposition")
PAGE = """<!doctype html><title>A frontend</title><script type="module">
const { url, token, cookie, exposed } = CONFIG;
const bearer = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
const body = JSON.stringify({ title: "From a page" });
async function attempt(path, options) {
  try {
    const answer = await fetch(url + path, options);
    const seen = exposed.filter((name) => answer.headers.get(name) !== null);
    return { status: answer.status, exposed: seen, body: await answer.json() };
  } catch (error) {
    return { blocked: error.name };
  }
}
document.cookie = cookie;
const post = { method: "POST", body };
const results = {
  read: await attempt("/api/v1/me", { headers: bearer }),
  written: await attempt("/api/v1/tasks", { ...post, headers: bearer }),
  exported: await attempt("/api/v1/export", { headers: bearer }),
  refused: await attempt("/api/v1/me", { headers: { Authorization: "Bearer x" } }),
  without: await attempt("/api/v1/me", { credentials: "omit" }),
  byCookie: await attempt("/api/v1/me", { credentials: "include" }),
  writtenByCookie: await attempt("/api/v1/tasks", {
    ...post, credentials: "include", headers: { "Content-Type": "application/json" },
  }),
};
document.body.textContent = JSON.stringify(results);
</script>"""


class Pages:
    """A web server that serves one page, which shows what it could do."""

    def __init__(self) -> None:
        self.page = ""
        self.port = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = self.page.encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n")
        writer.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        writer.close()

    async def visit(self, host: str) -> dict[str, Any]:
        """Open the page by this name of the machine; return what it could do."""
        async with chromium_page() as tab:
            await tab.goto(f"http://{host}:{self.port}/")
            results: dict[str, Any] = json.loads(await tab.inner_text("body:not(:empty)"))
        return results


@pytest.fixture
async def pages() -> AsyncIterator[Pages]:
    pages = Pages()
    async with await asyncio.start_server(pages.answer, "127.0.0.1", 0) as server:
        pages.port = server.sockets[0].getsockname()[1]
        yield pages


def cookie_of(stack: Stack, user_id: str) -> str:
    """The session cookie that Better Auth would write."""
    key = SigningKey("HS256", stack.secret.encode())
    now = datetime.now(UTC)
    session = {
        "id": secrets.token_hex(8),
        "userId": user_id,
        "createdAt": now.isoformat(),
        "expiresAt": (now + timedelta(days=1)).isoformat(),
    }
    claims: dict[str, Any] = {
        "session": session,
        "user": {"id": user_id},
        "exp": int(time.time()) + 300,
        **dict.fromkeys(("sub", "iss", "aud"), ...),
    }
    token = Forge("http://x.test", {"HS256": key}).token(key, {"kid": ...}, **claims)
    return f"better-auth.session_data={token}; path=/"


@pytest.mark.spec("WEB-4")
async def test_a_page_may_do_what_its_origin_may(pages: Pages, stack_factory: StackFactory) -> None:
    origin = f"http://127.0.0.1:{pages.port}"
    settings = {"CORS_ORIGINS": origin, "RATE_LIMIT_USER": "100"}
    stack = await stack_factory(environment={"gateway": settings})
    config = {
        "url": stack.url,
        "token": stack.token("ada"),
        "cookie": cookie_of(stack, "eve"),
        "exposed": EXPOSED,
    }
    pages.page = PAGE.replace("CONFIG", json.dumps(config))

    listed = await pages.visit("127.0.0.1")
    foreign = await pages.visit("localhost")

    limits = {"ratelimit", "ratelimit-policy"}
    assert (listed["read"]["status"], listed["read"]["body"]["user_id"]) == (200, "ada")
    assert limits <= set(listed["read"]["exposed"])
    assert listed["written"]["status"] == 201
    assert set(listed["written"]["exposed"]) == set(OF_A_WRITE)
    assert "content-disposition" in listed["exported"]["exposed"]
    assert (listed["refused"]["status"], listed["refused"]["body"]["code"]) == (
        401,
        "token_invalid",
    )
    assert listed["refused"]["exposed"] == ["x-request-id"]
    assert listed["without"]["body"]["code"] == "token_missing"
    assert (listed["byCookie"]["status"], listed["byCookie"]["body"]["user_id"]) == (200, "eve")
    assert listed["writtenByCookie"]["status"] == 201
    assert foreign == {name: {"blocked": "TypeError"} for name in listed}
