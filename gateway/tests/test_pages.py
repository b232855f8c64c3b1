"""The explorer and the error page, from files of our own."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gateway_service.pages.site import render_errors

if TYPE_CHECKING:
    from gateway.tests.conftest import Gateway

ROOT = Path(__file__).parents[2]


@pytest.mark.spec("GW-16")
async def test_everything_the_explorer_loads_is_served_by_us(gateway: "Gateway") -> None:
    page = await gateway.get("/docs")
    urls = re.findall(r'(?:src|href)="([^"]+)"', page.text)

    responses = [await gateway.get(url) for url in urls if url != "/openapi.json"]

    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert all(url.startswith("/") for url in urls)
    assert [response.status_code for response in responses] == [200] * 4
    kinds = {response.headers["content-type"].split(";")[0] for response in responses}
    assert kinds == {"text/javascript", "text/css", "image/png"}
    assert all("immutable" in response.headers["cache-control"] for response in responses)


@pytest.mark.spec("GW-16")
async def test_the_explorer_needs_nothing_its_policy_forbids(gateway: "Gateway") -> None:
    page = await gateway.get("/docs")

    policy = page.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self';" in policy
    assert "connect-src 'self' http://localhost:8080;" in policy
    assert re.findall(r"<script(?![^>]* src=)", page.text) == []


@pytest.mark.spec("GW-16")
async def test_the_explorer_shows_our_document_and_keeps_the_token(gateway: "Gateway") -> None:
    script = await gateway.get("/docs/assets/explorer.js")

    settings = dict(re.findall(r"^  (\w+): (.*),$", script.text, flags=re.MULTILINE))
    assert settings["url"] == '"/openapi.json"'
    assert settings["persistAuthorization"] == settings["tryItOutEnabled"] == "true"
    assert settings["validatorUrl"] == "null"


@pytest.mark.spec("GW-17", "ERR-6")
async def test_the_type_of_a_problem_leads_to_its_section(gateway: "Gateway") -> None:
    problem = (await gateway.get("/nowhere")).json()
    path, _, anchor = problem["type"].removeprefix("http://localhost:8080").partition("#")

    page = await gateway.get(path)

    assert page.status_code == 200
    assert f'<h2 id="{anchor}">' in page.text


@pytest.mark.spec("GW-17")
async def test_every_section_of_the_error_document_has_its_anchor(gateway: "Gateway") -> None:
    sections = re.findall(r"^## `(\w+)`$", (ROOT / "docs/errors.md").read_text(), re.MULTILINE)

    page = await gateway.get("/docs/errors")

    assert re.findall(r'<h2 id="(\w+)">', page.text) == sections
    assert sections == sorted(sections)
    assert len(sections) > 20


def test_a_heading_that_is_no_code_gets_no_anchor() -> None:
    html = render_errors("# Errors\n\n## `a_code`\n\n## Not `a_code`\n\n<b>raw</b>\n")

    assert html == (
        "<h1>Errors</h1>\n"
        '<h2 id="a_code"><code>a_code</code></h2>\n'
        "<h2>Not <code>a_code</code></h2>\n"
        "<p>&lt;b&gt;raw&lt;/b&gt;</p>\n"
    )
