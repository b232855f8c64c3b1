"""Where an upstream is: its name, resolved again and again in the background."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

Address: TypeAlias = tuple[str, int]
Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[Address]]]


async def resolve_name(host: str, port: int) -> list[Address]:
    """Ask the system for the addresses of a name. Raises `OSError` if it knows none."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys((str(entry[4][0]), int(entry[4][1])) for entry in found))


class AddressBook:
    """Keeps the last good addresses of one name, and tells `on_change` of new ones."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        resolve: Resolve,
        interval: float,
        on_change: Callable[[Sequence[Address]], None],
    ) -> None:
        self._host = host
        self._port = port
        self._resolve = resolve
        self._interval = interval
        self._on_change = on_change
        self._due = 0.0
        self._refresh: asyncio.Task[None] | None = None

    def refresh_if_due(self, now: float) -> None:
        """Resolve again in the background once the interval (seconds) is over."""
        if now >= self._due:
            self.refresh()

    def refresh(self) -> asyncio.Task[None]:
        """Resolve now, or join the resolution in progress; the task never fails."""
        if self._refresh is None or self._refresh.done():
            loop = asyncio.get_running_loop()
            self._due = loop.time() + self._interval
            self._refresh = loop.create_task(self._look_up())
        return self._refresh

    async def aclose(self) -> None:
        """Stop the resolution in progress."""
        if self._refresh is not None:
            self._refresh.cancel()
            await asyncio.wait([self._refresh])

    async def _look_up(self) -> None:
        try:
            addresses = await self._resolve(self._host, self._port)
        except (OSError, UnicodeError):
            # A name server that stumbles is no reason to forget where the upstream was.
            return
        if addresses:
            self._on_change(addresses)
