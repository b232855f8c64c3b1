"""One request hidden in another: gateway and service agree where each ends, or it is refused."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from secrets import token_hex
from urllib.parse import urlsplit

import pytest
from httpx import AsyncClient

from devkit.stack import Stack

Record = Callable[..., None]
Check = Callable[..., Awaitable[None]]
LIMIT = 30
TASKS = "/api/v1/tasks"
ME = "/api/v1/me"
TASK = b'{"title": "smuggled"}'
END = b"0\r\n\r\n"
LAST = b"Connection: close"
CHUNKED = b"Transfer-Encoding: chunked"
JSON = b"Content-Type: application/json"
# AUTH becomes the attacker's token, HIDDEN a request that creates a task.
AUTH, HIDDEN = b"Authorization: <auth>", b"<hidden>"


def request(target: str, *fields: bytes, body: bytes = b"", method: bytes = b"POST") -> bytes:
    lines = (method + b" " + target.encode() + b" HTTP/1.1", b"Host: gateway", AUTH, JSON, *fields)
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def get(target: str, *fields: bytes) -> bytes:
    return request(target, *fields, method=b"GET")


def spelt(old: bytes, new: bytes, whole: bytes | None = None) -> bytes:
    text = get(ME) if whole is None else whole
    assert old in text
    return text.replace(old, new, 1) + HIDDEN


# What is a request, and in the place of a body none.
BODY = b"GET /api/v1/me HTTP/1.1\r\nHost: gateway\r\n\r\n"
LENGTHS = {
    "twice": (b"Content-Length: 0", b"Content-Length: 0"),
    "two that differ": (b"Content-Length: 0", b"Content-Length: 400"),
    "a list": (b"Content-Length: 0, 0",),
    "a sign": (b"Content-Length: +0",),
    "below nothing": (b"Content-Length: -1",),
    "hexadecimal": (b"Content-Length: 0x0",),
    "underscore": (b"Content-Length: 0_0",),
    "space within": (b"Content-Length: 0 0",),
    "empty": (b"Content-Length:",),
    "beyond 64 bits": (b"Content-Length: 18446744073709551616",),
    "other digits": ("Content-Length: \u0660".encode(),),
    "vertical tab": (b"Content-Length: \x0b0",),
}
CODINGS = {
    "before a length": (CHUNKED, b"Content-Length: 5"),
    "after a length": (b"Content-Length: 5", CHUNKED),
    "twice": (CHUNKED, CHUNKED),
    "gzip first": (b"Transfer-Encoding: gzip, chunked",),
    "gzip in another line": (b"Transfer-Encoding: gzip", CHUNKED),
    "chunked twice in a line": (b"Transfer-Encoding: chunked, chunked",),
    "identity last": (b"Transfer-Encoding: chunked, identity",),
    "identity": (b"Transfer-Encoding: identity",),
    "unknown": (b"Transfer-Encoding: xchunked",),
    "cut": (b"Transfer-Encoding: chunke",),
    "quoted": (b'Transfer-Encoding: "chunked"',),
    "parameter": (b"Transfer-Encoding: chunked;q=1",),
    "vertical tab": (b"Transfer-Encoding: \x0bchunked",),
    "empty": (b"Transfer-Encoding:",),
    "space before the colon": (b"Transfer-Encoding : chunked",),
    "folded": (b"Transfer-Encoding:\r\n chunked",),
    "after a bare CR": (b"X: y\rTransfer-Encoding: chunked",),
}
LINES = {
    "folded": get(ME, b"X: a\r\n b") + HIDDEN,
    "folded by a tab": get(ME, b"X: a\r\n\tb") + HIDDEN,
    "LF after the request line": spelt(b"HTTP/1.1\r\n", b"HTTP/1.1\n"),
    "LF after a header": spelt(b"gateway\r\n", b"gateway\n"),
    "LF at the end": spelt(b"\r\n\r\n", b"\n\n"),
    "CR alone": spelt(b"gateway\r\n", b"gateway\r"),
    "CR in a value": get(ME, b"X: a\rb") + HIDDEN,
    "NUL in a value": get(ME, b"X: a\0b") + HIDDEN,
    "control character in a value": get(ME, b"X: a\x01b") + HIDDEN,
    "space in a name": get(ME, b"X y: a") + HIDDEN,
    "space before the colon": get(ME, b"Content-Length : 400") + HIDDEN,
    "space before the first name": spelt(b"Host", b" Host"),
    "no colon": get(ME, b"X") + HIDDEN,
    "no name": get(ME, b": x") + HIDDEN,
    "tab in the request line": spelt(b"GET ", b"GET\t"),
    "lower case method": spelt(b"GET", b"get"),
    "HTTP/0.9": spelt(b" HTTP/1.1", b""),
    "HTTP/1.2": spelt(b"HTTP/1.1", b"HTTP/1.2"),
    "HTTP/2.0": spelt(b"HTTP/1.1", b"HTTP/2.0"),
    "another protocol": spelt(b"HTTP/1.1", b"ICE/1.0"),
}
TARGETS = {
    "a fragment": f"{ME}#x",
    "no slash": "api/v1/me",
    "everything": "*",
    "another scheme": f"ftp://gateway{ME}",
    "authority": "gateway:80",
    "a user's name": f"http://gateway@elsewhere{ME}",
    "bytes beyond ASCII": "/api/v1/\u00e9",
    "quoted line end": f"{ME}\r\n",
}
# Nothing is there, whichever side looks.
NOWHERE = (
    *("//api/v1/me", "///api/v1/me", "/api/../readyz", "/api/./v1/me", "/api/v1/../../readyz"),
    *("/api/%2e%2e/readyz", "/api/%2E%2E/readyz", "/api/..%2freadyz", "/api/.%2e/readyz"),
    *("/api/%2e%2e%2freadyz", "/api/v1/tasks/..%2f..%2f..%2freadyz", "/api/v1/%2e/me"),
    *("/api/..", "/api/%2e%2e", "/api//v1/me", "/api/v1//me", "/internal/v1/verify", "/api%5cv1"),
    *("/api/..%5creadyz", "/api/%252e%252e/readyz", "/api/v1/me/", "/api/v1/me%00", "/API/v1/me"),
    *("/api/..;/readyz", "/api/v1/me;x", "/api/v1/me%20", "/api/v1/me%0d%0aX:y", "/api/%2f/readyz"),
)
SAME = (
    "http://gateway/api/v1/me",
    "https://other.test:1/api/v1/me",
    "/%61pi/v1/%6De",
    "/api%2fv1/me",
)
HOSTS = {
    "none": spelt(b"Host: gateway\r\n", b""),
    "twice": spelt(b"Host: gateway\r\n", b"Host: gateway\r\n" * 2),
    "two": spelt(b"Host: gateway\r\n", b"Host: gateway\r\nhost: tasks\r\n"),
    "two in HTTP/1.0": spelt(
        b"Host: gateway\r\n", b"Host: gateway\r\n" * 2, get(ME).replace(b"1.1", b"1.0")
    ),
    "a space": spelt(b"gateway\r\n", b"gate way\r\n"),
    "a user's name": spelt(b"gateway\r\n", b"me@gateway\r\n"),
    "a path": spelt(b"gateway\r\n", b"gateway/x\r\n"),
    "a query": spelt(b"gateway\r\n", b"gateway?x\r\n"),
    "bytes beyond ASCII": spelt(b"gateway\r\n", b"g\xc3\xa4teway\r\n"),
}
CHUNKS = {
    "0x": b"0x15\r\n" + TASK + b"\r\n" + END,
    "a sign": b"+15\r\n" + TASK + b"\r\n" + END,
    "below nothing": b"-1\r\n" + TASK + b"\r\n" + END,
    "space after": b"15 \r\n" + TASK + b"\r\n" + END,
    "space before": b" 15\r\n" + TASK + b"\r\n" + END,
    "empty": b"\r\n" + TASK + b"\r\n" + END,
    "no digit": b"g\r\n" + TASK + b"\r\n" + END,
    "underscore": b"1_5\r\n" + TASK + b"\r\n" + END,
    "beyond 64 bits": b"f" * 17 + b"\r\n" + TASK + b"\r\n" + END,
    "LF after the size": b"15\n" + TASK + b"\r\n" + END,
    "LF after the data": b"15\r\n" + TASK + b"\n" + END,
    "CR after the size": b"15\r" + TASK + b"\r\n" + END,
    "too short": b"14\r\n" + TASK + b"\r\n" + END,
    "longer than it says": b"5\r\n" + TASK + b"\r\n" + END,
    "LF in an extension": b"15;a\n\r\n" + TASK + b"\r\n" + END,
    "CR in an extension": b"15;a\rb\r\n" + TASK + b"\r\n" + END,
    "NUL in an extension": b"15;\0\r\n" + TASK + b"\r\n" + END,
    "LF after the last": b"15\r\n" + TASK + b"\r\n0\n\n",
}


class Wire:
    """Bytes to the gateway, as a user who has no tasks."""

    def __init__(self, stack: Stack, client: AsyncClient) -> None:
        self._address = urlsplit(stack.url)
        self._tasks = f"{stack.url}{TASKS}"
        self._client = client
        self._headers, self._bystander = (stack.headers(token_hex(8)) for _ in range(2))

    async def send(self, data: bytes) -> list[int]:
        """Send this; return the status of every answer until the gateway hangs up."""
        length = b"Content-Length: %d" % len(TASK)
        data = data.replace(HIDDEN, request(TASKS, length, body=TASK))
        data = data.replace(b"<auth>", self._headers["Authorization"].encode())
        async with asyncio.timeout(LIMIT):
            reader, writer = await asyncio.open_connection(
                self._address.hostname, self._address.port
            )
            writer.write(data)
            statuses = []
            while line := await reader.readline():
                statuses.append(int(line.split()[1]))
                # An interim answer has no headers.
                end = b"\r\n\r\n" if statuses[-1] >= 200 else b"\r\n"
                head = await reader.readuntil(end)
                if match := re.search(rb"(?i)content-length: (\d+)", head):
                    await reader.readexactly(int(match[1]))
            writer.close()
        return statuses

    async def titles(self) -> list[str]:
        """Return what the user's tasks are called, having asked for a bystander's in between."""
        # The connection the gateway used last is the one it uses next: is it still in step?
        assert await self._list(self._bystander) == []
        return [task["title"] for task in await self._list(self._headers)]

    async def _list(self, headers: dict[str, str]) -> list[dict[str, str]]:
        answer = await self._client.get(self._tasks, headers=headers)
        items: list[dict[str, str]] = answer.json()["items"]
        return items


@pytest.fixture(scope="module")
async def client() -> AsyncIterator[AsyncClient]:
    async with AsyncClient(trust_env=False, timeout=LIMIT) as client:
        yield client


@pytest.fixture
def wire(stack: Stack, client: AsyncClient) -> Wire:
    return Wire(stack, client)


@pytest.fixture
def refused_bytes(wire: Wire, record: Record, group: str) -> Check:
    """Check that the gateway answers these bytes once, with 400, and does nothing of them."""

    async def check(data: bytes) -> None:
        statuses, titles = await wire.send(data), await wire.titles()
        record(group, right=False, accepted=statuses != [400] or bool(titles))
        assert (statuses, titles) == ([400], [])

    return check


@pytest.fixture
def served_bytes(wire: Wire, record: Record, group: str) -> Check:
    """Check that these bytes are answered so, and that they create `tasks`."""

    async def check(data: bytes, statuses: list[int], tasks: int = 0) -> None:
        answers, titles = await wire.send(data), await wire.titles()
        record(group, right=True, accepted=(answers, len(titles)) == (statuses, tasks))
        assert (answers, len(titles)) == (statuses, tasks)

    return check


@pytest.mark.spec("SMUG-1")
@pytest.mark.parametrize("name", LENGTHS)
async def test_a_length_that_can_be_read_in_two_ways_is_refused(
    refused_bytes: Check, name: str
) -> None:
    await refused_bytes(request(TASKS, *LENGTHS[name], body=HIDDEN))


@pytest.mark.spec("SMUG-2")
@pytest.mark.parametrize("name", CODINGS)
async def test_a_transfer_coding_other_than_chunked_alone_is_refused(
    refused_bytes: Check, name: str
) -> None:
    await refused_bytes(request(TASKS, *CODINGS[name], body=END + HIDDEN))


@pytest.mark.spec("SMUG-2")
async def test_http_1_0_has_no_chunks(refused_bytes: Check) -> None:
    whole = request(TASKS, CHUNKED, body=END + HIDDEN)

    await refused_bytes(whole.replace(b"HTTP/1.1", b"HTTP/1.0", 1))


@pytest.mark.spec("SMUG-3")
@pytest.mark.parametrize("name", LINES)
async def test_a_line_that_can_be_read_in_two_ways_is_refused(
    refused_bytes: Check, name: str
) -> None:
    await refused_bytes(LINES[name])


@pytest.mark.spec("SMUG-4")
@pytest.mark.parametrize("name", TARGETS)
async def test_a_target_that_is_no_path_is_refused(refused_bytes: Check, name: str) -> None:
    await refused_bytes(get(TARGETS[name]) + HIDDEN)


@pytest.mark.spec("SMUG-4")
async def test_a_tunnel_is_refused(refused_bytes: Check) -> None:
    await refused_bytes(request("gateway:80", method=b"CONNECT") + HIDDEN)


@pytest.mark.spec("SMUG-4")
@pytest.mark.parametrize("target", NOWHERE)
async def test_no_spelling_of_a_path_leads_out_of_the_api(
    wire: Wire, record: Record, group: str, target: str
) -> None:
    statuses = await wire.send(get(target, LAST))

    record(group, right=False, accepted=statuses != [404])
    assert statuses == [404]


@pytest.mark.spec("SMUG-4")
@pytest.mark.parametrize("target", SAME)
async def test_other_spellings_of_a_path_are_the_same_path(
    served_bytes: Check, target: str
) -> None:
    await served_bytes(get(target, LAST), [200])


@pytest.mark.spec("SMUG-5")
@pytest.mark.parametrize("name", HOSTS)
async def test_a_request_has_one_host(refused_bytes: Check, name: str) -> None:
    await refused_bytes(HOSTS[name])


@pytest.mark.spec("SMUG-6")
@pytest.mark.parametrize("name", CHUNKS)
async def test_a_chunk_that_can_be_read_in_two_ways_is_refused(
    refused_bytes: Check, name: str
) -> None:
    await refused_bytes(request(TASKS, CHUNKED, body=CHUNKS[name] + HIDDEN))


@pytest.mark.spec("SMUG-6")
async def test_an_extension_hides_nothing(served_bytes: Check) -> None:
    extended = b"15;a=b;15;0\r\n" + TASK + b"\r\n0;15;c\r\n\r\n"

    await served_bytes(request(TASKS, CHUNKED, body=extended) + get(ME, LAST), [201, 200], tasks=1)


@pytest.mark.spec("SMUG-7")
@pytest.mark.parametrize("trailer", [AUTH, b"Cookie: better-auth.session_data=<auth>"])
async def test_a_trailer_lets_nobody_in(
    wire: Wire, record: Record, group: str, trailer: bytes
) -> None:
    body = b"15\r\n" + TASK + b"\r\n0\r\n" + trailer + b"\r\n\r\n"
    anonymous = request(TASKS, CHUNKED, LAST, body=body).replace(AUTH, b"X: y", 1)

    statuses, titles = await wire.send(anonymous), await wire.titles()

    record(group, right=False, accepted=statuses != [401] or bool(titles))
    assert (statuses, titles) == ([401], [])


@pytest.mark.spec("SMUG-7")
@pytest.mark.parametrize(
    "trailer",
    [b"X-User-Id: mallory", b"X-Identity: v1.9.x", AUTH, b"Connection: x-identity", b"Host: tasks"],
)
async def test_a_trailer_is_nobodys_header(served_bytes: Check, trailer: bytes) -> None:
    body = b"15\r\n" + TASK + b"\r\n0\r\n" + trailer + b"\r\n\r\n"

    await served_bytes(request(TASKS, CHUNKED, body=body) + get(ME, LAST), [201, 200], tasks=1)


@pytest.mark.spec("SMUG-7")
@pytest.mark.parametrize("trailer", [b"Content-Length: 400", CHUNKED])
async def test_a_trailer_that_frames_hides_nothing(
    wire: Wire, record: Record, group: str, trailer: bytes
) -> None:
    body = b"0\r\n" + trailer + b"\r\n\r\n"

    await wire.send(request(TASKS, CHUNKED, LAST, body=body) + HIDDEN)
    titles = await wire.titles()

    record(group, right=False, accepted=bool(titles))
    assert titles == []


@pytest.mark.spec("SMUG-8")
@pytest.mark.parametrize(
    "data",
    [
        request(TASKS, b"Content-Length: %d" % len(BODY), body=BODY),
        request(TASKS, CHUNKED, body=b"%x\r\n%b\r\n" % (len(BODY), BODY) + END),
    ],
)
async def test_a_request_in_a_body_is_a_body(served_bytes: Check, data: bytes) -> None:
    await served_bytes(data + get(ME, LAST), [400, 200])


@pytest.mark.spec("SMUG-8")
@pytest.mark.parametrize(
    ("data", "statuses", "tasks"),
    [
        (get(ME) + HIDDEN + get(ME) + HIDDEN + get(ME, LAST), [200, 201, 200, 201, 200], 2),
        (request(TASKS, b"Content-Length: 21", LAST, body=TASK), [201], 1),
        (request(TASKS, CHUNKED, LAST, body=b"15\r\n" + TASK + b"\r\n" + END), [201], 1),
        (request(TASKS, CHUNKED, LAST, body=b"0015\r\n" + TASK + b"\r\n000\r\n\r\n"), [201], 1),
        (request(TASKS, b"transfer-ENCODING: Chunked", LAST, body=END), [422], 0),
        (request(TASKS, b"Transfer_Encoding: chunked", b"Content-Length: 21", LAST, body=TASK),
         [201], 1),
        (request(TASKS, b"Expect: 100-continue", b"Content-Length: 21", LAST, body=TASK),
         [100, 201], 1),
        (get(TASKS, b"Content-Length: 21") + TASK + get(ME, LAST), [200, 200], 0),
        (b"\r\n" + get(ME, LAST), [200], 0),
        (get(ME).replace(b"HTTP/1.1", b"HTTP/1.0"), [200], 0),
        (get(ME, LAST) + HIDDEN, [200], 0),
        (get(ME, b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c") + HIDDEN, [200], 0),
        (get(ME, b"Connection: Upgrade", b"Upgrade: websocket") + HIDDEN, [200], 0),
        (get(ME, b"X: " + b"x" * 30_000, LAST), [200], 0),
    ],
)  # fmt: skip
async def test_what_is_right_is_served(
    served_bytes: Check, data: bytes, statuses: list[int], tasks: int
) -> None:
    await served_bytes(data, statuses, tasks)


@pytest.mark.spec("SMUG-8")
@pytest.mark.parametrize("body", [(b"Content-Length: 400", HIDDEN), (CHUNKED, END + HIDDEN)])
async def test_a_body_beside_an_upgrade_is_refused(
    refused_bytes: Check, body: tuple[bytes, bytes]
) -> None:
    upgrade = (b"Connection: Upgrade", b"Upgrade: h2c")

    await refused_bytes(request(TASKS, *upgrade, body[0], body=body[1]))
