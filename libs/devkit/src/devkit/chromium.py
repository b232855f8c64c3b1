"""Chromium, driven as a person would: over the pipe of its DevTools protocol, on no port."""

import asyncio
import json
import os
import shutil
import sys
from base64 import b64decode
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from devkit.process import inherited_environment

LIMIT_SECONDS = 120
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--hide-scrollbars", "--remote-debugging-pipe"),
)
# Asked for by the browser itself, of itself.
_OWN_SCHEMES = frozenset(("about", "blob", "data"))
_LARGEST_MESSAGE = 64 * 1024 * 1024
# It reads from 3 and writes to 4, which may be taken.
_START = """
import fcntl, os, sys
first, second = (fcntl.fcntl(int(number), fcntl.F_DUPFD, 10) for number in sys.argv[1:3])
os.dup2(first, 3)
os.dup2(second, 4)
os.execvp(sys.argv[3], sys.argv[3:])
"""
_WAIT = """new Promise((found) => {
  const look = () => {
    const it = (%s);
    if (it) { watch.disconnect(); found(String(it)); }
  };
  const watch = new MutationObserver(look);
  watch.observe(document, { subtree: true, childList: true, characterData: true });
  look();
})"""


class BrowserError(Exception):
    """The browser could not do what it was told."""


class Page:
    """One tab. `asked` holds every address it has asked anything of."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.WriteTransport) -> None:
        self.asked: list[str] = []
        self._reader = reader
        self._writer = writer
        self._ids = count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._there: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._session: str | None = None

    @property
    def hosts(self) -> set[str]:
        """Return host and port of everybody it has asked."""
        parts = map(urlsplit, self.asked)
        return {part.netloc for part in parts if part.scheme not in _OWN_SCHEMES}

    async def prepare(self) -> None:
        """Open the tab."""
        tab = await self._tell("Target.createTarget", url="about:blank")
        attached = {"targetId": tab["targetId"], "flatten": True}
        self._session = (await self._tell("Target.attachToTarget", **attached))["sessionId"]
        await self._tell("Network.enable")
        await self._tell("Page.enable")
        await self._tell("Page.setLifecycleEventsEnabled", enabled=True)

    async def open(self, url: str) -> None:
        """Go to an address."""
        gone = await self._tell("Page.navigate", url=url)
        if "errorText" in gone:
            raise BrowserError(f"{url}: {gone['errorText']}")
        # Until then the page before it may be asked, and would never answer.
        async with asyncio.timeout(LIMIT_SECONDS):
            await self._there[gone["loaderId"]].wait()

    async def wait(self, expression: str) -> str:
        """Wait until an expression of JavaScript is something, and return that as text."""
        return str(await self.run(_WAIT % expression))

    async def run(self, expression: str) -> Any:  # noqa: ANN401 - whatever it comes to.
        """Return what an expression of JavaScript, or its promise, comes to."""
        told = {"expression": expression, "awaitPromise": True, "returnByValue": True}
        done = await self._tell("Runtime.evaluate", **told)
        if "exceptionDetails" in done:
            raise BrowserError(f"{expression}: {done['exceptionDetails']}")
        return done["result"].get("value")

    async def click(self, selector: str) -> None:
        """Wait for an element, and click on it."""
        element = f"document.querySelector({json.dumps(selector)})"
        await self.wait(element)
        await self.run(f"{element}.click()")

    async def type(self, selector: str, text: str) -> None:
        """Wait for a field, and type into it."""
        element = f"document.querySelector({json.dumps(selector)})"
        await self.wait(element)
        await self.run(f"{element}.focus()")
        await self._tell("Input.insertText", text=text)

    async def picture(self) -> bytes:
        """Return a PNG of what is seen."""
        return b64decode((await self._tell("Page.captureScreenshot", format="png"))["data"])

    async def listen(self) -> None:
        """Take what the browser says, until it says no more."""
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                self._take(json.loads((await self._reader.readuntil(b"\0"))[:-1]))
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(BrowserError("The browser has ended."))

    def _take(self, message: dict[str, Any]) -> None:
        params = message.get("params", {})
        if message.get("method") == "Network.requestWillBeSent":
            self.asked.append(params["request"]["url"])
        elif message.get("method") == "Page.lifecycleEvent" and params["name"] == "load":
            self._there[params["loaderId"]].set()
        answer = self._answers.get(message.get("id", 0))
        if answer is not None and not answer.done():
            answer.set_result(message)

    async def _tell(self, method: str, **params: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON.
        number = next(self._ids)
        answer = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        message = {"id": number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        self._writer.write(json.dumps(message).encode() + b"\0")
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                told = await answer
        finally:
            del self._answers[number]
        if "error" in told:
            raise BrowserError(f"{method}: {told['error']['message']}")
        result: dict[str, Any] = told["result"]
        return result


@asynccontextmanager
async def chromium(profile: Path, width: int = 1280, height: int = 770) -> AsyncIterator[Page]:
    """Run a browser with a tab for the length of the block; it keeps its things in `profile`."""
    to_read, to_write = os.pipe(), os.pipe()
    program = shutil.which("chromium") or "chromium"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _START, str(to_read[0]), str(to_write[1])),
        *(program, *_FLAGS, f"--user-data-dir={profile}", f"--window-size={width},{height}"),
        pass_fds=(to_read[0], to_write[1]),
        env=inherited_environment(),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    os.close(to_read[0])
    os.close(to_write[1])
    reader, heard = await _reader(to_write[0])
    writer = await _writer(to_read[1])
    page = Page(reader, writer)
    listening = asyncio.create_task(page.listen())
    try:
        await page.prepare()
        yield page
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        writer.close()
        heard.close()
        await listening


async def _reader(descriptor: int) -> tuple[asyncio.StreamReader, asyncio.ReadTransport]:
    reader = asyncio.StreamReader(limit=_LARGEST_MESSAGE)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", 0)
    )
    return reader, transport


async def _writer(descriptor: int) -> asyncio.WriteTransport:
    pipe = os.fdopen(descriptor, "wb", 0)
    transport, _ = await asyncio.get_running_loop().connect_write_pipe(asyncio.Protocol, pipe)
    return transport
