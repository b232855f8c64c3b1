"""Stand-ins for the three services, under their names: they start fast and tell what they know."""

from pathlib import Path

import pytest

PACKAGES = ("gateway_service", "auth_verifier", "tasks_service")

_MAIN = """
import json, os, sys

def create_app():
    if os.environ.get("LOG_LEVEL") == "BROKEN":
        sys.exit("refusing to start: LOG_LEVEL is not a level")
    print(json.dumps({"event": "started"}), flush=True)
    return app

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    body = json.dumps(dict(os.environ)).encode()
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
"""
_MIGRATE = 'import os\nprint("migrated", os.environ["DATABASE_URL"].partition(":")[0])\n'


@pytest.fixture
def fake_services(tmp_path: Path) -> Path:
    """Give a folder that holds the packages, to be put on PYTHONPATH."""
    folder = tmp_path / "fake-services"
    for package in PACKAGES:
        (folder / package).mkdir(parents=True)
        (folder / package / "__init__.py").touch()
        (folder / package / "main.py").write_text(_MAIN)
    (folder / "tasks_service" / "migrate.py").write_text(_MIGRATE)
    return folder
