"""What the edge does with the connection itself."""

import asyncio
import socket

_LINGER_SECONDS = 2.0
_UNTAKEN_SECONDS = 30


def give_up_on_vanished(transport: asyncio.Transport) -> None:
    """Have the system close a connection whose other end takes nothing that is sent.

    By itself TCP goes on for a quarter of an hour when a client vanishes without a word, and for
    ever when it is there but reads no further.
    """
    connection = transport.get_extra_info("socket")
    if connection is None or connection.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    # Only Linux has it; elsewhere an idle client that has vanished is at least found some time.
    if (option := getattr(socket, "TCP_USER_TIMEOUT", None)) is not None:
        connection.setsockopt(socket.IPPROTO_TCP, option, _UNTAKEN_SECONDS * 1000)
    else:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


class Lingering(asyncio.Transport):
    """A connection whose last answer can be read, though more came than was read."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send it."""
        self._transport.write(data)

    def close(self) -> None:
        """Say that this was all, and throw away what still comes for a moment."""
        if not self._transport.is_closing() and self._transport.can_write_eof():
            self._transport.write_eof()
        self._loop.call_later(_LINGER_SECONDS, self._transport.abort)
