"""Every error code of every service is explained, and means the same everywhere."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from httpx import AsyncClient

import auth_verifier.main
import gateway_service.main
import tasks_service.main
from service_kit.errors import ServiceError

ERRORS = Path(__file__).parents[2] / "docs" / "errors.md"
SERVICES = (auth_verifier.main, gateway_service.main, tasks_service.main)
PACKAGES = {"service_kit", *(service.__name__.partition(".")[0] for service in SERVICES)}


def _error_classes(kind: type[ServiceError] = ServiceError) -> Iterator[type[ServiceError]]:
    for error in kind.__subclasses__():
        # Test modules have errors of their own.
        if "code" in vars(error) and error.__module__.partition(".")[0] in PACKAGES:
            yield error
        yield from _error_classes(error)


def _sections() -> dict[str, str]:
    parts = re.split(r"^## `(\w+)`$", ERRORS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.spec("ERR-6")
def test_every_code_has_a_section_and_every_section_a_code() -> None:
    assert set(_sections()) == {error.code for error in _error_classes()}


@pytest.mark.spec("ERR-6")
def test_a_section_names_the_status_of_its_code() -> None:
    sections = _sections()

    assert [
        error.code for error in _error_classes() if str(error.status) not in sections[error.code]
    ] == []


@pytest.mark.spec("ERR-1")
def test_a_code_has_one_status_and_one_title_in_every_service() -> None:
    meanings = {(error.code, error.status, error.title) for error in _error_classes()}

    assert len(meanings) == len({code for code, _, _ in meanings})


@pytest.mark.spec("GW-17")
async def test_the_page_of_the_gateway_has_a_place_for_every_code(anonymous: AsyncClient) -> None:
    page = (await anonymous.get("/docs/errors")).text

    assert [error.code for error in _error_classes() if f'id="{error.code}"' not in page] == []
