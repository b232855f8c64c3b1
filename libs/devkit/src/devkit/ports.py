"""TCP ports on loopback for the processes of a system."""

import errno
import secrets
import socket

from devkit.errors import DevkitError

LOOPBACK = "127.0.0.1"
_LOWEST, _HIGHEST = 10_240, 32_767


def free_port() -> int:
    """Return a port nobody listens on.

    It lies below the range the kernel takes for outgoing connections, so none of those occupies it
    while the process that listens there is being restarted.
    """
    while True:
        port = _LOWEST + secrets.randbelow(_HIGHEST - _LOWEST + 1)
        if is_free(port):
            return port


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Tell whether a server could listen on the port now.

    Raises `DevkitError` when this account may not listen there at all.
    """
    with socket.socket() as listener:
        # As the servers do: a port whose old connections linger in TIME_WAIT counts as free.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise DevkitError(f"Port {port} cannot be used: {error.strerror}.") from error
        return True
