"""A client's copy of what a user has, kept in step as docs/sync.md tells."""

from typing import Any

from httpx import AsyncClient

_SYNC = "/api/v1/sync"
_LISTED = {"task": "/api/v1/tasks", "list": "/api/v1/lists", "tag": "/api/v1/tags"}


class Mirror:
    """The objects by kind and id, and the cursor of the last change that is in them."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self.cursor: str | None = None
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}

    async def sync(self, limit: int = 200) -> list[dict[str, Any]]:
        """Take over what changed, page by page, and return the changes."""
        changes: list[dict[str, Any]] = []
        while True:
            page = await self.sync_page(limit)
            changes += page["changes"]
            if not page["has_more"]:
                return changes

    async def sync_page(self, limit: int) -> dict[str, Any]:
        """Take over one page of what changed, and return it."""
        parameters = {"limit": str(limit)} | ({"cursor": self.cursor} if self.cursor else {})
        answer = await self._client.get(_SYNC, params=parameters)
        page: dict[str, Any] = answer.raise_for_status().json()
        for change in page["changes"]:
            self.apply(change)
        self.cursor = page["cursor"]
        return page

    def apply(self, change: dict[str, Any]) -> None:
        """Take over one change."""
        key = change["kind"], change["id"]
        if change["op"] == "delete":
            self.objects.pop(key, None)
        else:
            self.objects[key] = change["object"]


def version_in(cursor: str | None) -> int:
    """Return the counter in a cursor, 0 for none; clients have no need to know it."""
    return int(cursor.rpartition(".")[2]) if cursor else 0


async def everything(client: AsyncClient) -> dict[tuple[str, str], dict[str, Any]]:
    """Return what a mirror has to hold, as the server lists it."""
    found = {}
    for kind, path in _LISTED.items():
        parameters = {"limit": "200"}
        while True:
            page = (await client.get(path, params=parameters)).raise_for_status().json()
            for item in page["items"]:
                item.pop("task_count", None)
                found[kind, item["id"]] = item
            if page["next_cursor"] is None:
                break
            parameters["cursor"] = page["next_cursor"]
    return found
