"""Users that nobody is, and users that look like somebody else."""

import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from httpx import AsyncClient

from devkit.forge import Forge

Check = Callable[..., Awaitable[None]]

CONTROLS = (0x00, 0x01, 0x07, 0x08, 0x09, 0x0B, 0x1B, 0x1F, 0x7F, 0x85, 0x9F)
NOBODY: dict[str, Any] = {
    "missing": ...,
    "null": None,
    "empty": "",
    "space": " ",
    "many spaces": " " * 200,
    "no-break space": "\u00a0",
    "ideographic space": "\u3000",
    "line separator": "\u2028",
    "256 characters": "a" * 256,
    "256 characters of two bytes": "\u00e4" * 256,
    "10,000 characters": "a" * 10_000,
    "a million characters": "a" * 1_000_000,
    "the word null": "null",
    "the word undefined": "undefined",
    "number": 1,
    "fraction": 1.5,
    "true": True,
    "list": ["ada"],
    "object": {"id": "ada"},
    "half a surrogate pair": "ada\ud800",
    **{f"control {code:#x}": f"ada{chr(code)}root" for code in CONTROLS},
}
LINE_ENDS = {
    "a header": "ada\r\nX-User-Id: root",
    "two line ends": "ada\r\n\r\nGET / HTTP/1.1",
    "CR": "ada\rroot",
    "LF": "ada\nroot",
    "CRLF after": "ada\r\n",
    "CRLF before": "\r\nada",
    "CRLF alone": "\r\n",
}
SOMEBODY = {
    "Cyrillic": "\u0430d\u0430",
    "full width": "\uff41\uff44\uff41",
    "composed": "\u00e4da",
    "decomposed": "a\u0308da",
    "another case": "ADA",
    "dotless": "\u0131da",
    "emoji": "\U0001f9d1\u200d\U0001f680",
    "zero width": "a\u200bda",
    "right to left": "ada\u202eroot",
    "line separator": "ada\u2028root",
    "cut below a byte": "\u010d\u010aada",
    "percent CRLF": "ada%0d%0aX-User-Id: root",
    "percent NUL": "ada%00",
    "escaped CRLF": "ada\\r\\nroot",
    "SQL": "ada' OR '1'='1",
    "slash": "../ada",
    "space after": "ada ",
    "255 characters of four bytes": "\U0001f9d1" * 255,
}


@pytest.mark.spec("ABUSE-13")
@pytest.mark.parametrize("by", ["EdDSA", "HS256"])
@pytest.mark.parametrize("sub", NOBODY)
async def test_a_token_of_nobody_is_refused(
    refused: Check, forge: Forge, sub: str, by: str
) -> None:
    await refused(forge.token(by, sub=NOBODY[sub], id="ada", email="ada@example.test"))


@pytest.mark.spec("ABUSE-14")
@pytest.mark.parametrize("by", ["EdDSA", "HS256"])
@pytest.mark.parametrize("sub", LINE_ENDS)
async def test_a_line_end_in_the_user_id_is_refused(
    refused: Check, forge: Forge, sub: str, by: str
) -> None:
    await refused(forge.token(by, sub=LINE_ENDS[sub]))


@pytest.mark.spec("ABUSE-14")
@pytest.mark.parametrize("sub", SOMEBODY)
async def test_a_user_id_arrives_as_it_was_signed(accepted: Check, forge: Forge, sub: str) -> None:
    await accepted(forge.token("EdDSA", sub=SOMEBODY[sub]), SOMEBODY[sub])


@pytest.mark.spec("ABUSE-14")
async def test_users_that_look_alike_share_no_task(anonymous: AsyncClient, forge: Forge) -> None:
    unique = secrets.token_hex(4)
    users = [f"{sub[:200]}{unique}" for sub in ("ada", *SOMEBODY.values())]
    headers = [{"Authorization": f"Bearer {forge.token('EdDSA', sub=user)}"} for user in users]

    for number, mine in enumerate(headers):
        await anonymous.post("/api/v1/tasks", json={"title": f"{number}"}, headers=mine)
    lists = [(await anonymous.get("/api/v1/tasks", headers=mine)).json() for mine in headers]

    titles = [[task["title"] for task in page["items"]] for page in lists]
    assert titles == [[f"{number}"] for number in range(len(users))]
