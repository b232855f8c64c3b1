"""The client's body on its way upstream: framed, counted, timed."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from gateway_service.upstream.errors import (
    BodyTooLargeError,
    UpstreamTimeoutError,
)
from gateway_service.upstream.timeouts import Freshness, UpstreamTimeouts
from service_kit.edge_errors import RequestTimeoutError

if TYPE_CHECKING:
    from gateway.tests.upstream.conftest import Gateway, RawUpstream

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
CHUNKED = [(b"transfer-encoding", b"chunked")]
SOON = 0.1


def length(count: int) -> list[tuple[bytes, bytes]]:
    return [(b"content-length", b"%d" % count)]


@pytest.mark.spec("GW-5")
async def test_a_declared_body_goes_over_as_it_is(
    gateway: "Gateway", upstream: "RawUpstream"
) -> None:
    call = gateway.call("POST", headers=length(6), body=[b"abc", b"", b"def"])
    connection = await upstream.accept()

    head, body = await connection.read_head(), await connection.read(6)
    connection.write(OK)
    await call.finish()

    assert b"\r\ncontent-length: 6\r\n" in head
    assert (body, call.body) == (b"abcdef", b"ok")


@pytest.mark.spec("GW-5")
@pytest.mark.parametrize(
    ("pieces", "wire"),
    [
        ([b"abc"], b"3\r\nabc\r\n0\r\n\r\n"),
        ([b""], b"0\r\n\r\n"),
        ([b"abc", b""], b"3\r\nabc\r\n0\r\n\r\n"),
        ([b"abc", b"", b"0123456789abcdef"], b"3\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n"),
    ],
)
async def test_a_chunked_body_goes_over_chunked(
    gateway: "Gateway", upstream: "RawUpstream", pieces: list[bytes], wire: bytes
) -> None:
    call = gateway.call("POST", headers=CHUNKED, body=pieces)
    connection = await upstream.accept()

    head, body = await connection.read_head(), await connection.read(len(wire))
    connection.write(OK)
    await call.finish()

    assert b"\r\ntransfer-encoding: chunked\r\n" in head
    assert (body, call.body) == (wire, b"ok")


@pytest.mark.spec("GW-5")
async def test_a_body_is_passed_on_as_it_comes(gateway: "Gateway", upstream: "RawUpstream") -> None:
    call = gateway.call("POST", headers=length(2), body=None)
    call.upload(b"a")
    connection = await upstream.accept()
    await connection.read_head()

    first = await connection.read(1)
    call.upload(b"b", more=False)
    second = await connection.read(1)
    connection.write(OK)
    await call.finish()

    assert (first, second) == (b"a", b"b")


@pytest.mark.spec("GW-5")
async def test_the_connection_of_a_streamed_request_is_used_again(
    gateway: "Gateway", upstream: "RawUpstream"
) -> None:
    first = gateway.call("POST", headers=length(2), body=[b"a", b"b"])
    connection = await upstream.accept()
    await connection.read_head()
    await connection.read(2)
    connection.write(OK)
    await first.finish()

    second = gateway.call()
    await connection.answer()
    await second.finish()

    assert (second.body, len(upstream.accepted)) == (b"ok", 1)


@pytest.mark.spec("GW-13")
async def test_a_body_declared_too_large_is_refused_unread(
    upstream: "RawUpstream", make_gateway: Callable[..., "Gateway"]
) -> None:
    gateway = make_gateway(upstream.url, body_limit=10)
    call = gateway.call("POST", headers=length(11), body=[b"a" * 11])

    with pytest.raises(BodyTooLargeError) as raised:
        await call.finish()

    assert (raised.value.status, raised.value.code) == (413, "body_too_large")
    assert (call.reads, upstream.accepted) == (0, [])


@pytest.mark.spec("GW-13")
@pytest.mark.parametrize("headers", [length(10), CHUNKED])
async def test_a_body_of_just_the_limit_passes(
    upstream: "RawUpstream",
    make_gateway: Callable[..., "Gateway"],
    headers: list[tuple[bytes, bytes]],
) -> None:
    call = make_gateway(upstream.url, body_limit=10).call("POST", headers=headers, body=[b"a" * 10])
    await (await upstream.accept()).answer()

    await call.finish()

    assert call.body == b"ok"


@pytest.mark.spec("GW-13")
async def test_a_chunked_body_that_grows_too_large_never_looks_complete_to_the_upstream(
    upstream: "RawUpstream", make_gateway: Callable[..., "Gateway"]
) -> None:
    gateway = make_gateway(upstream.url, body_limit=10)
    call = gateway.call("POST", headers=CHUNKED, body=None)
    call.upload(b"a" * 6)
    connection = await upstream.accept()
    await connection.read_head()
    received = await connection.read(11)

    call.upload(b"a" * 6, more=False)
    with pytest.raises(BodyTooLargeError):
        await call.finish()

    assert received + await connection.read_rest() == b"6\r\naaaaaa\r\n"


@pytest.mark.spec("GW-13")
async def test_a_chunked_body_too_large_at_once_reaches_no_upstream(
    upstream: "RawUpstream", make_gateway: Callable[..., "Gateway"]
) -> None:
    gateway = make_gateway(upstream.url, body_limit=10)

    with pytest.raises(BodyTooLargeError):
        await gateway.call("POST", headers=CHUNKED, body=[b"a" * 11]).finish()

    assert upstream.accepted == []


async def test_bytes_beyond_the_declared_length_cannot_become_another_request(
    gateway: "Gateway", upstream: "RawUpstream"
) -> None:
    call = gateway.call("POST", headers=length(3), body=None)
    call.upload(b"ab")
    connection = await upstream.accept()
    await connection.read_head()
    await connection.read(2)

    call.upload(b"cGET /smuggled HTTP/1.1\r\n\r\n", more=False)
    with pytest.raises(BodyTooLargeError):
        await call.finish()

    assert await connection.read_rest() == b""


async def test_a_body_that_ends_before_its_declared_length_ends_the_connection(
    gateway: "Gateway", upstream: "RawUpstream"
) -> None:
    call = gateway.call("POST", headers=length(3), body=None)
    call.upload(b"a")
    connection = await upstream.accept()
    await connection.read_head()
    await connection.read(1)

    call.upload(b"b", more=False)
    await call.finish()

    assert (call.sent, await connection.read_rest()) == ([], b"")


@pytest.mark.spec("GW-13")
async def test_a_client_that_sends_no_body_is_timed_out(
    upstream: "RawUpstream", make_gateway: Callable[..., "Gateway"]
) -> None:
    gateway = make_gateway(upstream.url, timeouts=UpstreamTimeouts(request_body=SOON))

    with pytest.raises(RequestTimeoutError) as raised:
        await gateway.call("POST", headers=length(2), body=None).finish()

    assert (raised.value.status, raised.value.code) == (408, "request_timeout")
    assert upstream.accepted == []


@pytest.mark.spec("GW-13")
async def test_a_client_that_stops_sending_is_timed_out_and_the_upstream_told(
    upstream: "RawUpstream", make_gateway: Callable[..., "Gateway"]
) -> None:
    gateway = make_gateway(upstream.url, timeouts=UpstreamTimeouts(request_body=SOON))
    call = gateway.call("POST", headers=length(2), body=None)
    call.upload(b"a")

    with pytest.raises(RequestTimeoutError):
        await call.finish()

    received = await (await upstream.accept()).read_rest()
    assert received.endswith(b"\r\n\r\na")


@pytest.mark.spec("GW-11")
@pytest.mark.parametrize("pieces", [[], [b"a"]])
async def test_a_client_that_hangs_up_within_its_body_ends_its_request(
    gateway: "Gateway", upstream: "RawUpstream", pieces: list[bytes]
) -> None:
    call = gateway.call("POST", headers=length(2), body=None)
    for piece in pieces:
        call.upload(piece)

    call.hang_up()
    await call.finish()

    assert call.sent == []
    assert len(upstream.accepted) <= len(pieces)


@pytest.mark.spec("GW-5")
async def test_an_upstream_that_reads_slowly_slows_the_client(
    upstream: "RawUpstream", make_gateway: Callable[..., "Gateway"]
) -> None:
    piece, count = bytes(1024 * 1024), 64
    gateway = make_gateway(upstream.url, body_limit=count * len(piece))
    call = gateway.call("POST", headers=length(count * len(piece)), body=[piece] * count)
    connection = await upstream.accept()
    await connection.read_head()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(SOON):
            await asyncio.shield(call.task)
    taken = call.reads
    await connection.read(count * len(piece))
    connection.write(OK)
    await call.finish()

    assert taken < count
    assert call.body == b"ok"


@pytest.mark.spec("GW-12")
async def test_an_upstream_that_stops_reading_is_a_timeout(
    upstream: "RawUpstream", make_gateway: Callable[..., "Gateway"]
) -> None:
    size = 64 * 1024 * 1024
    gateway = make_gateway(
        upstream.url, body_limit=size, timeouts=UpstreamTimeouts(write_stall=SOON)
    )

    with pytest.raises(UpstreamTimeoutError):
        await gateway.call("POST", headers=length(size), body=[b"", bytes(size)]).finish()


async def test_an_upload_may_outlast_the_time_a_connection_may_be_idle(
    upstream: "RawUpstream", make_gateway: Callable[..., "Gateway"]
) -> None:
    gateway = make_gateway(upstream.url, freshness=Freshness(idle_timeout=SOON))
    warm = gateway.call()
    connection = await upstream.accept()
    await connection.answer()
    await warm.finish()

    call = gateway.call("POST", headers=length(2), body=None)
    call.upload(b"a")
    await connection.read_head()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(2 * SOON):
            await asyncio.shield(call.task)
    call.upload(b"b", more=False)
    await connection.read(2)
    connection.write(OK)
    await call.finish()

    assert call.body == b"ok"


@pytest.mark.spec("GW-12")
async def test_the_time_to_answer_starts_with_the_end_of_the_body(
    upstream: "RawUpstream", make_gateway: Callable[..., "Gateway"]
) -> None:
    gateway = make_gateway(upstream.url, timeouts=UpstreamTimeouts(answer_head=SOON))
    call = gateway.call("POST", headers=length(2), body=None)
    call.upload(b"a")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(2 * SOON):
            await asyncio.shield(call.task)

    call.upload(b"b", more=False)

    with pytest.raises(UpstreamTimeoutError):
        await call.finish()


@pytest.mark.spec("GW-7")
@pytest.mark.parametrize("headers", [length(10), CHUNKED])
async def test_an_answer_before_the_end_of_the_body_reaches_the_client(
    gateway: "Gateway", upstream: "RawUpstream", headers: list[tuple[bytes, bytes]]
) -> None:
    call = gateway.call("POST", headers=headers, body=None)
    call.upload(b"a")
    connection = await upstream.accept()

    await connection.answer(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno")
    await call.finish()

    assert (call.status, call.body, call.complete) == (403, b"no", True)
    assert b"0\r\n\r\n" not in await connection.read_rest()


@pytest.mark.spec("GW-7")
async def test_a_body_is_not_sent_on_once_its_answer_has_begun(
    gateway: "Gateway", upstream: "RawUpstream"
) -> None:
    call = gateway.call("POST", headers=length(10), body=None)
    call.upload(b"a")
    connection = await upstream.accept()
    await connection.answer(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nn")
    await call.until(lambda call: call.body == b"n")

    call.upload(b"bcdefghij", more=False)
    connection.write(b"o")
    await call.finish()

    assert (call.body, call.complete) == (b"no", True)
    assert await connection.read_rest() == b"a"


@pytest.mark.spec("GW-11")
async def test_a_client_that_hangs_up_after_an_early_answer_began_is_noticed(
    gateway: "Gateway", upstream: "RawUpstream"
) -> None:
    call = gateway.call("POST", headers=length(10), body=None)
    call.upload(b"a")
    connection = await upstream.accept()
    await connection.answer(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n")
    await call.until(lambda call: bool(call.sent))

    call.hang_up()
    await call.finish()

    assert not call.complete
    assert await connection.read_rest() == b"a"


async def test_a_receive_that_breaks_is_reported_by_the_request(
    gateway: "Gateway", upstream: "RawUpstream"
) -> None:
    class BrokenError(Exception):
        pass

    pieces = [{"type": "http.request", "body": b"a", "more_body": True}]

    async def receive() -> dict[str, object]:
        if not pieces:
            raise BrokenError
        return pieces.pop()

    async def send(_: object) -> None:
        raise AssertionError

    scope = {"method": "POST", "raw_path": b"/", "query_string": b"", "headers": length(2)}
    with pytest.raises(BrokenError):
        await gateway.forwarder.forward(scope, receive, send, ())

    assert len(upstream.accepted) <= 1
