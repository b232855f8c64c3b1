"""What a developer does first: open /docs, paste a token, ask for the tasks."""

import json
import os
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.async_api import Page

from devkit.chromium import chromium_page
from devkit.stack import Stack

TASKS = "/api/v1/tasks"
LIST = "#operations-tasks-list_tasks"
CREATE = "#operations-tasks-create_task"
ANSWER = ".live-responses-table"
TITLES = ("Write to Ada", "Read the specs", "Water the plants")


def keep(picture: bytes) -> None:
    """Put the picture where `make screenshot` wants it."""
    if wanted := os.environ.get("SCREENSHOT"):
        Path(wanted).write_bytes(picture)


async def open_docs(page: Page, stack: Stack, token: str) -> None:
    """Open the page and give it a token."""
    await page.goto(f"{stack.url}/docs")
    await page.click(".btn.authorize")
    await page.fill(".modal-ux input", token)
    await page.click(".modal-ux button.authorize")
    await page.click(".modal-ux button.btn-done")


async def execute(page: Page, operation: str) -> tuple[str, str]:
    """Press the button of an operation as it is, and return the status and the body shown."""
    await page.click(f"{operation} .opblock-summary-control")
    await page.click(f"{operation} .btn.execute")
    status = await page.inner_text(f"{operation} {ANSWER} tbody td >> nth=0")
    shown = await page.inner_text(f"{operation} {ANSWER} code >> nth=0")
    return status.strip(), shown


@pytest.mark.spec("WEB-5", "GW-16")
async def test_docs_takes_a_token_and_lists_the_users_tasks(stack: Stack) -> None:
    token = stack.token("ada-of-the-docs")
    async with httpx.AsyncClient(base_url=stack.url, trust_env=False) as client:
        client.headers["Authorization"] = f"Bearer {token}"
        for title in TITLES:
            (await client.post(TASKS, json={"title": title})).raise_for_status()

    async with chromium_page() as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await open_docs(page, stack, token)
        status, shown = await execute(page, LIST)
        # The token stands above it.
        await page.locator(f"{LIST} {ANSWER}").evaluate("answer => answer.scrollIntoView()")
        picture = await page.screenshot()

    assert status == "200"
    assert {task["title"] for task in json.loads(shown)["items"]} == set(TITLES)
    assert {url.netloc for url in map(urlsplit, asked) if url.netloc} == {
        urlsplit(stack.url).netloc
    }
    keep(picture)


@pytest.mark.spec("WEB-5", "GW-21")
async def test_docs_proposes_a_task_that_can_be_created(stack: Stack) -> None:
    async with chromium_page() as page:
        await open_docs(page, stack, stack.token("grace-of-the-docs"))
        status, shown = await execute(page, CREATE)

    assert status == "201", shown
    assert json.loads(shown)["title"] == "Water the plants"
