"""docs/phase-two.md shows what the system answers: the calls in it are made, and compared."""

import json
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from httpx import AsyncClient, Response

from devkit.stack import Stack

PAGE = Path(__file__).parents[2] / "docs" / "phase-two.md"
SHOWN = re.compile(r"(<!-- calls: (\w+) -->\n).*?(<!-- end -->\n)", re.DOTALL)
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# What no two runs have in common, and what it is shown as.
STAMPS = {
    "created_at": "2026-11-25T09:00:00Z",
    "updated_at": "2026-11-25T09:00:00Z",
    "request_id": "…",
}
HEADERS = ("allow", "content-type", "www-authenticate")
Connect = Callable[[str, Mapping[str, str]], Awaitable[AsyncClient]]


@dataclass
class Frontend:
    """Makes calls and writes them down; `base` is where its tasks are."""

    client: AsyncClient
    nobody: AsyncClient
    user: str
    base: str
    text: str = ""
    _ids: dict[str, str] = field(default_factory=dict)

    async def call(self, why: str, method: str, path: str, body: Any = None) -> Any:
        """Call below `base`, with a token."""
        return await self._call(self.client, why, method, self.base + path, body)

    async def call_elsewhere(self, why: str, path: str) -> None:
        """Get another path, with a token."""
        await self._call(self.client, why, "GET", path)

    async def call_without_token(self, why: str) -> None:
        """Get the list like somebody who is not signed in."""
        await self._call(self.nobody, why, "GET", self.base)

    async def _call(
        self, client: AsyncClient, why: str, method: str, path: str, body: Any = None
    ) -> Any:
        answer = await client.request(method, path, json=body)
        asked = [f"{method} {path}"]
        if client is self.client:
            asked.append("Authorization: Bearer <token>")
        if body is not None:
            asked += ["Content-Type: application/json", "", written(stamped(body))]
        shown = "\n".join([*asked, "", *self._answer(answer)])
        self.text += f"{why}\n\n```http\n{self._normal(shown)}\n```\n\n"
        return answer.json() if answer.content else None

    def _answer(self, answer: Response) -> list[str]:
        lines = [f"HTTP/1.1 {answer.status_code} {answer.reason_phrase}"]
        if answer.is_error:
            lines += [
                f"{name}: {answer.headers[name]}" for name in HEADERS if name in answer.headers
            ]
        if answer.content:
            lines += ["", written(stamped(answer.json()))]
        return lines

    def _normal(self, text: str) -> str:
        """Return a text without what no two runs have in common."""

        def numbered(found: re.Match[str]) -> str:
            return self._ids.setdefault(
                found[0], f"0195c1e0-0000-7000-8000-{len(self._ids) + 1:012}"
            )

        text = text.replace(self.user, "ada").replace(str(self.client.base_url), "https://…/")
        return UUID.sub(numbered, text.replace("https://…//", "https://…/"))


def stamped(value: Any) -> Any:
    if isinstance(value, list):
        return [stamped(each) for each in value]
    return {name: STAMPS.get(name, each) for name, each in value.items()}


def written(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


async def with_user_id(frontend: Frontend, _foreign_task: str) -> None:
    task = await frontend.call(
        "Create a task:",
        "POST",
        "",
        {
            "title": "Write to Grace",
            "description": "About the compiler",
            "priority": "high",
            "tags": ["post"],
            "due_date": "2026-12-01",
        },
    )
    query = "?status=pending&priority=high&search=compiler&sort=due_date&order=asc"
    await frontend.call("List those that are open, of one priority and with a word:", "GET", query)
    await frontend.call(
        "Change one field; the others stay:", "PUT", f"/{task['id']}", {"title": "Call Grace"}
    )
    await frontend.call(
        "Complete it. Without a body each call turns it over:", "PATCH", f"/{task['id']}/complete"
    )
    await frontend.call("Delete it (into the trash):", "DELETE", f"/{task['id']}")
    await frontend.call_elsewhere(
        "A path that names somebody else, whoever that is:", "/api/grace/tasks"
    )
    await frontend.call_without_token("Not signed in:")


async def short(frontend: Frontend, foreign_task: str) -> None:
    task = await frontend.call(
        "Create a task; only the title is needed, and an instant is in UTC when it says no other:",
        "POST",
        "",
        {"title": "Write to Grace", "due_date": "2026-12-01T17:30:00+01:00"},
    )
    query = "?completed=false&sort_by=created_at&sort_order=desc"
    await frontend.call("List with the other names for the same:", "GET", query)
    await frontend.call(
        "Put back the whole task as it was read, with one change; what the server owns is ignored:",
        "PUT",
        f"/{task['id']}",
        task | {"priority": "low"},
    )
    await frontend.call(
        "Complete it, by saying so:", "PATCH", f"/{task['id']}/complete", {"completed": True}
    )
    await frontend.call("Delete it (into the trash):", "DELETE", f"/{task['id']}")
    await frontend.call("Another user's task is none:", "GET", f"/{foreign_task}")
    await frontend.call_without_token("Not signed in:")


@pytest.mark.spec("PH2-12", "PH2-1", "PH2-2", "PH2-3", "PH2-4", "PH2-6", "PH2-7")
async def test_the_page_shows_what_the_system_answers(
    connect: Connect, stack: Stack, anonymous: AsyncClient, mallory: AsyncClient, tmp_path: Path
) -> None:
    foreign = (await mallory.post("/api/tasks", json={"title": "x"})).json()["id"]
    calls = {}
    for name, script in (("with_user_id", with_user_id), ("short", short)):
        user = f"ada-{secrets.token_hex(8)}"
        client = await connect(stack.url, stack.headers(user))
        base = f"/api/{user}/tasks" if name == "with_user_id" else "/api/tasks"
        frontend = Frontend(client, anonymous, user, base)
        await script(frontend, foreign)
        calls[name] = frontend.text
    page = PAGE.read_text()

    renewed = SHOWN.sub(lambda found: f"{found[1]}{calls[found[2]]}{found[3]}", page)

    (tmp_path / PAGE.name).write_text(renewed)
    assert set(re.findall("calls: (.*) -->", page)) == set(calls)
    assert renewed == page, f"if the answers are right, copy {tmp_path / PAGE.name} to docs/"
