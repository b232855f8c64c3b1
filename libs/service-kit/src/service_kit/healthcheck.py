"""`python -m service_kit.healthcheck`: exit code 0 when the service in this container is ready.

It runs every few seconds, so it imports next to nothing.
"""

import socket
import sys

_PORT = 8000
_SECONDS = 4
_REQUEST = b"GET /readyz HTTP/1.0\r\n\r\n"


def is_ready(port: int = _PORT) -> bool:
    """Tell whether `/readyz` is answered with 200."""
    try:
        with socket.create_connection(("127.0.0.1", port), _SECONDS) as connection:
            connection.sendall(_REQUEST)
            status = connection.makefile("rb").readline()
    except OSError:
        return False
    return status.split()[1:2] == [b"200"]


if __name__ == "__main__":
    sys.exit(not is_ready())
