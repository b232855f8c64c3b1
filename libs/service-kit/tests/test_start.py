import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from fastapi import FastAPI
from starlette.types import Message

from service_kit.api import ServiceApi, StartupError
from service_kit.settings import ServiceSettings, load_settings


class KettleSettings(ServiceSettings):
    kettle_secret: str
    kettle_litres: int = 1


def test_a_settings_mistake_ends_the_start_with_one_line_that_names_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KETTLE_SECRET", "hidden-value")
    monkeypatch.setenv("KETTLE_LITRES", "hidden-too")

    with pytest.raises(SystemExit) as stopped:
        load_settings(KettleSettings, "kettle")

    line = str(stopped.value.code)
    assert line.startswith("kettle: refusing to start: KETTLE_LITRES: ")
    assert "\n" not in line
    assert "hidden" not in line


def test_an_empty_variable_counts_as_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KETTLE_SECRET", "")

    with pytest.raises(SystemExit, match="KETTLE_SECRET: Field required"):
        load_settings(KettleSettings, "kettle")


async def test_a_start_that_fails_says_why_in_one_line() -> None:
    water: list[str] = []

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        if not water:
            raise StartupError("the water is missing.")
        yield

    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "lifespan.startup"}

    async def send(message: Message) -> None:
        sent.append(message)

    app = ServiceApi(title="kettle", description="", lifespan=lifespan)
    await app({"type": "lifespan", "asgi": {}, "state": {}}, receive, send)

    assert sent == [
        {
            "type": "lifespan.startup.failed",
            "message": "kettle: refusing to start: the water is missing.",
        }
    ]


def test_every_log_record_is_one_json_line() -> None:
    program = (
        "import logging, structlog; from service_kit.logs import configure_logging;"
        "configure_logging('kettle', 'INFO');"
        "structlog.get_logger().info('boiled', litres=2);"
        "logging.getLogger('uvicorn.error').warning('from a %s', 'library')"
    )

    output = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=30
    ).stdout

    boiled, library = (json.loads(line) for line in output.splitlines())
    assert boiled.items() >= {"event": "boiled", "litres": 2, "service": "kettle"}.items()
    assert library.items() >= {"event": "from a library", "level": "warning"}.items()


@pytest.mark.spec("AUTH-24")
def test_a_logged_traceback_shows_no_values() -> None:
    program = (
        "import logging; from service_kit.logs import configure_logging;"
        "configure_logging('kettle', 'INFO')\n"
        "def boil(token):\n    raise RuntimeError('dry')\n"
        "try:\n    boil('secret' + '-token')\n"
        "except RuntimeError:\n    logging.getLogger('kettle').exception('failed')"
    )

    output = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=30
    ).stdout

    assert json.loads(output)["exception"][0]["exc_value"] == "dry"
    assert "secret-token" not in output
