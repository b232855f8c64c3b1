"""Server-sent events as a client reads them (WHATWG HTML §9.2)."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Event:
    """One event, a comment or a `retry` among them; `id` is that of the last event with one."""

    name: str
    data: Any
    id: str | None


async def read_events(pieces: AsyncIterator[bytes], id: str | None = None) -> AsyncIterator[Event]:  # noqa: A002 - its name
    """Yield the events in a stream; one that is cut off is none."""
    text = b""
    async for piece in pieces:
        text += piece
        while b"\n\n" in text:
            block, _, text = text.partition(b"\n\n")
            event = _parsed(block.decode(), id)
            id = event.id  # noqa: A001 - the same
            yield event


def _parsed(block: str, last_id: str | None) -> Event:
    fields = dict(line.partition(": ")[::2] for line in block.split("\n"))
    if block.startswith(":"):
        return Event("comment", None, last_id)
    if "retry" in fields:
        return Event("retry", int(fields["retry"]), last_id)
    return Event(fields["event"], json.loads(fields["data"]), fields.get("id", last_id))
