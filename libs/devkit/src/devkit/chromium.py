"""The system's own Chromium, driven by Playwright."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Page, async_playwright

_LIMIT_MILLISECONDS = 120_000


@asynccontextmanager
async def chromium_page() -> AsyncIterator[Page]:
    """Run a browser for the length of the block, and give its only tab."""
    async with async_playwright() as playwright:
        program = shutil.which("chromium") or "chromium"
        async with await playwright.chromium.launch(executable_path=program) as browser:
            page = await browser.new_page(viewport={"width": 1280, "height": 770})
            page.set_default_timeout(_LIMIT_MILLISECONDS)
            yield page
