"""What a client sees on the wire, through a real uvicorn."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from gateway.tests.upstream.conftest import RawConnection, RawUpstream

Connect = Callable[[], Awaitable["RawConnection"]]

GET = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
STREAM = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
SOON = 0.1


@pytest.mark.spec("GW-6")
async def test_there_is_one_date_and_no_word_of_the_server(
    connect: Connect, upstream: "RawUpstream"
) -> None:
    client = await connect()
    client.write(GET)

    await (await upstream.accept()).answer(
        b"HTTP/1.1 200 OK\r\ndate: then\r\nserver: x\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n"
        b"content-length: 2\r\n\r\nok"
    )
    head = (await client.read_head()).lower()

    assert (head.count(b"\r\ndate: "), b"\r\ndate: then" in head, b"\r\nserver:" in head) == (
        *(1, False, False),
    )
    assert head.index(b"set-cookie: a=1") < head.index(b"set-cookie: b=2")


@pytest.mark.spec("GW-7")
async def test_answers_without_a_body_leave_the_clients_connection_in_step(
    connect: Connect, upstream: "RawUpstream"
) -> None:
    client = await connect()
    client.write(GET.replace(b"GET", b"HEAD"))
    connection = await upstream.accept()
    await connection.answer(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n")
    heads = [await client.read_head()]

    for answer in (
        b"HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 205 Reset Content\r\ncontent-length: 0\r\n\r\n",
        OK,
    ):
        client.write(GET)
        await connection.answer(answer)
        heads.append(await client.read_head())

    assert [head.split()[1] for head in heads] == [b"200", b"304", b"204", b"205", b"200"]
    assert b"content-length: 9\r\n" in heads[0]
    assert await client.read(2) == b"ok"


@pytest.mark.spec("GW-7")
async def test_an_answer_that_ends_with_its_connection_is_framed_for_the_client(
    connect: Connect, upstream: "RawUpstream"
) -> None:
    client = await connect()
    client.write(GET)
    connection = await upstream.accept()
    await connection.answer(b"HTTP/1.0 200 OK\r\n\r\nabc")
    connection.close()

    head = await client.read_head()

    assert b"transfer-encoding: chunked" in head
    assert await client.read(13) == b"3\r\nabc\r\n0\r\n\r\n"


@pytest.mark.spec("GW-8")
@pytest.mark.parametrize(
    ("answer", "seen"),
    [
        (STREAM + b"3\r\nabc\r\n", b"3\r\nabc\r\n"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc", b"abc"),
    ],
)
async def test_a_client_can_tell_that_an_answer_was_cut_short(
    connect: Connect,
    upstream: "RawUpstream",
    caplog: pytest.LogCaptureFixture,
    answer: bytes,
    seen: bytes,
) -> None:
    client = await connect()
    client.write(GET)
    connection = await upstream.accept()
    await connection.answer(answer)
    await client.read_head()

    connection.close()
    rest = await client.read_rest()

    assert rest == seen
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.spec("GW-11")
@pytest.mark.parametrize("answer", [b"", STREAM, STREAM + b"1\r\na\r\n"])
@pytest.mark.parametrize("reset", [False, True])
async def test_a_client_that_hangs_up_ends_its_upstream_request(
    connect: Connect, upstream: "RawUpstream", answer: bytes, *, reset: bool
) -> None:
    client = await connect()
    client.write(GET)
    connection = await upstream.accept()
    await connection.answer(answer)
    if answer:
        await client.read_head()

    if reset:
        client.reset()
    else:
        client.close()

    assert await connection.read_rest() == b""


@pytest.mark.spec("GW-11")
async def test_a_client_that_hangs_up_without_reading_a_long_answer_ends_it(
    connect: Connect, upstream: "RawUpstream"
) -> None:
    size = 64 * 1024 * 1024
    client = await connect()
    client.write(GET)
    connection = await upstream.accept()
    await connection.answer(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
    await client.read_head()
    connection.write(bytes(size))

    client.reset()

    assert await connection.read_rest() == b""


@pytest.mark.spec("GW-5")
async def test_a_client_that_does_not_read_stops_the_upstream_from_writing(
    connect: Connect, upstream: "RawUpstream"
) -> None:
    size = 64 * 1024 * 1024
    client = await connect()
    client.write(GET)
    connection = await upstream.accept()
    await connection.answer(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
    head = await client.read_head()

    connection.write(bytes(size))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(SOON):
            await connection.writer.drain()
    body = await client.read(size)

    assert (head.split()[1], len(body)) == (b"200", size)


@pytest.mark.spec("GW-5")
async def test_a_client_that_expects_to_be_told_to_continue_is_told_so(
    connect: Connect, upstream: "RawUpstream"
) -> None:
    client = await connect()
    client.write(b"POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n")

    interim = await client.read_head()
    client.write(b"abc")
    connection = await upstream.accept()
    head, body = await connection.read_head(), await connection.read(3)
    connection.write(OK)
    final = await client.read_head()

    assert (interim.split()[1], final.split()[1]) == (b"100", b"200")
    assert (b"expect" in head, body) == (False, b"abc")


@pytest.mark.spec("GW-7")
async def test_an_answer_before_the_end_of_the_body_reaches_the_client(
    connect: Connect, upstream: "RawUpstream"
) -> None:
    client = await connect()
    client.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 300000\r\n\r\n" + bytes(100_000))
    connection = await upstream.accept()

    await connection.answer(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno")
    head, body = await client.read_head(), await client.read(2)
    client.write(bytes(200_000) + GET)
    await (await upstream.accept()).answer()
    after = await client.read_head()

    assert (head.split()[1], body, after.split()[1]) == (b"403", b"no", b"200")


@pytest.mark.spec("GW-5")
async def test_pipelined_requests_are_answered_in_order(
    connect: Connect, upstream: "RawUpstream"
) -> None:
    client = await connect()
    client.write(GET.replace(b"/ ", b"/1 ") + GET.replace(b"/ ", b"/2 "))
    connection = await upstream.accept()

    heads = [await connection.answer(), await connection.answer()]

    assert [head.split()[1] for head in heads] == [b"/1", b"/2"]
