"""Every operation answers the codes that it declares for what all of them refuse in one way."""

import re
from typing import Any
from uuid import uuid4

import pytest
from httpx import AsyncClient

from devkit.declared import Declared, Failure
from tasks_service.main import build_api

# What brings a code about, whatever the operation does.
PROVOKED: dict[str, dict[str, Any]] = {
    "validation_failed": {"params": {"nonsense": "1"}},
    "malformed_json": {"content": "{", "headers": {"Content-Type": "application/json"}},
    "unsupported_media_type": {"content": "x", "headers": {"Content-Type": "text/plain"}},
    "invalid_cursor": {"params": {"cursor": "junk"}},
    "resync_required": {"params": {"min_cursor": "ffffffff.1"}},
}
# One has no pages, and so no cursor of one; the other none that an answer may not be older than.
OTHERWISE = {
    ("GET /api/v1/stats", "invalid_cursor"): {"params": {"min_cursor": "junk"}},
    ("GET /api/v1/sync", "resync_required"): {"params": {"cursor": "ffffffff.1"}},
}
FAILURES = [one for one in Declared(build_api().openapi()).failures() if one.code in PROVOKED]


@pytest.mark.spec("ERR-2", "ERR-3", "ERR-9")
@pytest.mark.parametrize("failure", FAILURES, ids=lambda one: f"{one.operation} {one.code}")
async def test_an_operation_refuses_what_it_declares_to_refuse(
    alice: AsyncClient, failure: Failure
) -> None:
    operation, status, code = failure
    method, template = operation.split()
    own = template.replace("{user_id}", alice.headers["x-user-id"])
    # Its task is there: some look for that first.
    task = (await alice.post("/api/v1/tasks", json={"title": "x"})).json()
    path = re.sub(r"{\w+}", str(uuid4()), own.replace("{task_id}", task["id"]))
    request = OTHERWISE.get((operation, code), PROVOKED[code])

    refused = await alice.request(method, path, **request)

    assert (refused.status_code, refused.json()["code"]) == (status, code)
