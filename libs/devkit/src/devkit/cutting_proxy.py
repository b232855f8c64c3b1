"""A line that breaks at the worst moment: when the answer is there, and nobody has seen it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_PIECE = 65536


class CuttingProxy:
    """Passes on what comes to `port`, to `target_port`; `cut_next` makes it break once.

    `cut` is set when it has: the server has answered, and its client was hung up on before a byte.
    """

    def __init__(self) -> None:
        self._cutting = False
        self.port = self.target_port = 0
        self.cut = asyncio.Event()

    def cut_next(self) -> None:
        """Break at the next answer."""
        self._cutting = True
        self.cut.clear()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["CuttingProxy"]:
        """Pass on what comes to `port`."""
        lines: set[asyncio.Task[None]] = set()

        async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            lines.add(asyncio.current_task())  # type: ignore[arg-type]  # a server's callback is one
            await self._pass_on(reader, writer)

        server = await asyncio.start_server(take, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for line in lines:
                line.cancel()
            await asyncio.gather(*lines, return_exceptions=True)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, requests = await asyncio.open_connection("127.0.0.1", self.target_port)
        asking = asyncio.create_task(_pump(reader, requests))
        try:
            while piece := await answers.read(_PIECE):
                if self._cutting:
                    self._cutting = False
                    writer.transport.abort()
                    self.cut.set()
                    return
                writer.write(piece)
                await writer.drain()
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            writer.close()
            requests.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(_PIECE):
        writer.write(piece)
        await writer.drain()
    writer.write_eof()
