"""One request over and its answer back, with both ends in the test's hands."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from gateway_service.upstream.errors import (
    UpstreamFailedError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)
from gateway_service.upstream.timeouts import UpstreamTimeouts

if TYPE_CHECKING:
    from gateway.tests.upstream.conftest import Gateway, RawUpstream

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
SOON = 0.1
"""Long enough for a loopback answer, short enough to wait for."""


@pytest.mark.spec("GW-5")
async def test_a_request_goes_over_and_its_answer_comes_back(
    gateway: "Gateway", upstream: "RawUpstream"
) -> None:
    call = gateway.call("GET", b"/api/v1/tasks?limit=2", headers=[(b"accept", b"*/*")])
    connection = await upstream.accept()

    head = await connection.answer(b"HTTP/1.1 201 Made\r\netag: 7\r\ncontent-length: 2\r\n\r\nok")
    await call.finish()

    assert head == (
        b"GET /api/v1/tasks?limit=2 HTTP/1.1\r\nhost: 127.0.0.1:%d\r\naccept: */*\r\n"
        b"x-user-id: alice\r\nx-identity: signed\r\n\r\n" % upstream.port
    )
    assert (call.status, call.body, call.complete) == (201, b"ok", True)
    assert call.headers == [(b"etag", b"7"), (b"content-length", b"2")]


@pytest.mark.spec("GW-5")
async def test_a_request_without_a_body_does_not_wait_for_one(
    gateway: "Gateway", upstream: "RawUpstream"
) -> None:
    call = gateway.call("GET", body=None)

    await (await upstream.accept()).answer()
    await call.finish()

    assert (call.body, call.reads) == (b"ok", 0)


@pytest.mark.spec("GW-7")
@pytest.mark.parametrize(
    ("method", "answer", "body"),
    [
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        ("GET", b"HTTP/1.1 304 NM\r\ncontent-length: 5\r\n\r\n", b""),
        ("HEAD", b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", b""),
        ("GET", STREAM + b"2\r\nab\r\n0\r\n\r\n", b"ab"),
        ("GET", b"HTTP/1.1 103 Early\r\nlink: x\r\n\r\n" + OK, b"ok"),
    ],
)
async def test_the_connection_of_a_complete_answer_is_used_again(
    gateway: "Gateway", upstream: "RawUpstream", method: str, answer: bytes, body: bytes
) -> None:
    first = gateway.call(method)
    connection = await upstream.accept()
    await connection.answer(answer)
    await first.finish()

    second = gateway.call()
    await connection.answer()
    await second.finish()

    assert (first.body, first.complete) == (body, True)
    assert (second.status, len(upstream.accepted)) == (200, 1)


@pytest.mark.spec("GW-7")
@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\n"])
async def test_an_answer_may_end_with_the_connection(
    gateway: "Gateway", upstream: "RawUpstream", head: bytes
) -> None:
    call = gateway.call()
    connection = await upstream.accept()
    await connection.answer(head + b"abc")
    await call.until(lambda call: call.body == b"abc")

    connection.close()
    await call.finish()

    assert (call.status, call.body, call.complete) == (200, b"abc", True)


@pytest.mark.spec("GW-7")
@pytest.mark.parametrize(
    "answer",
    [
        OK.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"),
        OK.replace(b"1.1", b"1.0"),
        OK + b"surplus",
    ],
)
async def test_a_connection_that_is_over_or_out_of_step_is_not_used_again(
    gateway: "Gateway", upstream: "RawUpstream", answer: bytes
) -> None:
    first = gateway.call()
    connection = await upstream.accept()
    await connection.answer(answer)
    await first.finish()

    second = gateway.call()
    await (await upstream.accept()).answer()
    await second.finish()

    assert (first.body, second.body) == (b"ok", b"ok")
    assert await connection.read_rest() == b""


@pytest.mark.spec("GW-5")
async def test_an_answer_is_passed_on_as_it_comes(
    gateway: "Gateway", upstream: "RawUpstream"
) -> None:
    call = gateway.call()
    connection = await upstream.accept()

    await connection.answer(STREAM)
    await call.until(lambda call: bool(call.sent))
    connection.write(b"3\r\none\r\n")
    await call.until(lambda call: call.body == b"one")
    connection.write(b"3\r\ntwo\r\n0\r\n\r\n")
    await call.finish()

    assert (call.body, call.complete) == (b"onetwo", True)


@pytest.mark.spec("GW-5")
async def test_a_client_that_reads_slowly_slows_the_upstream(
    gateway: "Gateway", upstream: "RawUpstream"
) -> None:
    size = 64 * 1024 * 1024
    call = gateway.call()
    connection = await upstream.accept()
    await connection.answer(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
    await call.until(lambda call: bool(call.sent))
    call.stop_reading()

    connection.write(bytes(size))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(SOON):
            await connection.writer.drain()
    answer = next(iter(gateway.pool._open)).answer
    held = answer.buffered if answer is not None else 0
    call.go_on_reading()
    await call.finish()

    assert held < 1024 * 1024
    assert (len(call.body), call.complete) == (size, True)


@pytest.mark.spec("GW-8")
@pytest.mark.parametrize("framing", [b"content-length: 9", b"transfer-encoding: chunked"])
@pytest.mark.parametrize("reset", [False, True])
async def test_an_answer_cut_short_never_looks_complete(
    gateway: "Gateway",
    upstream: "RawUpstream",
    caplog: pytest.LogCaptureFixture,
    framing: bytes,
    *,
    reset: bool,
) -> None:
    call = gateway.call()
    connection = await upstream.accept()
    await connection.answer(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n1\r\na\r\n")
    await call.until(lambda call: bool(call.body))

    if reset:
        connection.reset()
    else:
        connection.close()
    await call.finish()

    assert not call.complete
    assert [record.getMessage() for record in caplog.records] == [
        "answer cut short: The upstream closed the connection before the end of its answer."
    ]
    assert caplog.records[0].exc_info is None


@pytest.mark.spec("GW-8")
async def test_nonsense_within_an_answer_cuts_it(
    gateway: "Gateway", upstream: "RawUpstream"
) -> None:
    call = gateway.call()
    connection = await upstream.accept()
    await connection.answer(STREAM + b"1\r\na\r\n")
    await call.until(lambda call: bool(call.body))

    connection.write(b"nonsense\r\n")
    await call.finish()

    assert (call.body, call.complete) == (b"a", False)


@pytest.mark.spec("GW-8")
async def test_an_upstream_that_falls_silent_within_its_answer_cuts_it(
    upstream: "RawUpstream", make_gateway: Callable[..., "Gateway"]
) -> None:
    gateway = make_gateway(upstream.url, timeouts=UpstreamTimeouts(answer_body=SOON))
    call = gateway.call()
    connection = await upstream.accept()
    await connection.answer(STREAM + b"1\r\na\r\n")

    await call.finish()

    assert (call.body, call.complete) == (b"a", False)
    assert await connection.read_rest() == b""


async def test_a_client_that_stops_reading_is_let_go(
    upstream: "RawUpstream", make_gateway: Callable[..., "Gateway"]
) -> None:
    gateway = make_gateway(upstream.url, timeouts=UpstreamTimeouts(write_stall=SOON))
    call = gateway.call()
    connection = await upstream.accept()
    await connection.answer(STREAM + b"1\r\na\r\n")
    await call.until(lambda call: bool(call.body))

    call.stop_reading()
    connection.write(b"1\r\nb\r\n")
    await call.finish()

    assert (call.body, call.complete) == (b"a", False)
    assert await connection.read_rest() == b""


@pytest.mark.spec("GW-12")
async def test_an_upstream_that_does_not_answer_in_time_is_a_timeout(
    upstream: "RawUpstream", make_gateway: Callable[..., "Gateway"]
) -> None:
    gateway = make_gateway(upstream.url, timeouts=UpstreamTimeouts(answer_head=SOON))

    with pytest.raises(UpstreamTimeoutError) as raised:
        await gateway.get()

    assert (raised.value.status, raised.value.code) == (504, "upstream_timeout")
    assert (await (await upstream.accept()).read_rest()).startswith(b"GET / ")


@pytest.mark.spec("OVER-1")
async def test_all_steps_before_the_answer_share_one_time(
    upstream: "RawUpstream", make_gateway: Callable[..., "Gateway"]
) -> None:
    gateway = make_gateway(upstream.url, timeouts=UpstreamTimeouts(total=SOON))

    with pytest.raises(UpstreamTimeoutError):
        await gateway.get()


@pytest.mark.spec("OVER-1")
async def test_the_time_of_the_client_is_not_the_upstreams(
    upstream: "RawUpstream", make_gateway: Callable[..., "Gateway"]
) -> None:
    gateway = make_gateway(upstream.url, timeouts=UpstreamTimeouts(total=5 * SOON))
    call = gateway.call("POST", headers=[(b"content-length", b"2")], body=None)
    call.upload(b"a")
    connection = await upstream.accept()
    await connection.read_head()

    # Longer than the upstream has.
    with pytest.raises(UpstreamTimeoutError):
        await gateway.get()
    call.upload(b"b", more=False)
    await connection.read(2)
    connection.write(OK)
    await call.finish()

    assert call.status == 200


@pytest.mark.spec("GW-12")
async def test_interim_answers_do_not_prolong_the_wait(
    upstream: "RawUpstream", make_gateway: Callable[..., "Gateway"]
) -> None:
    gateway = make_gateway(upstream.url, timeouts=UpstreamTimeouts(answer_head=SOON))
    call = gateway.call()

    await (await upstream.accept()).answer(b"HTTP/1.1 102 Processing\r\n\r\n" * 2)

    with pytest.raises(UpstreamTimeoutError):
        await call.finish()


@pytest.mark.spec("GW-12")
@pytest.mark.parametrize(
    "answer",
    [
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 101 S\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + bytes(70_000),
        STREAM + b"1\r\na\r\nnonsense",
    ],
)
async def test_nonsense_is_a_failure_of_the_upstream(
    gateway: "Gateway", upstream: "RawUpstream", answer: bytes
) -> None:
    call = gateway.call()
    connection = await upstream.accept()
    await connection.answer(answer)

    with pytest.raises(UpstreamFailedError) as raised:
        await call.finish()

    assert (raised.value.status, raised.value.code) == (502, "upstream_failed")
    assert await connection.read_rest() == b""


@pytest.mark.spec("GW-12")
@pytest.mark.parametrize("part", [b"", b"HTTP/1.1 200 OK\r\ncontent-le"])
async def test_an_upstream_that_hangs_up_on_a_new_connection_is_a_failure(
    gateway: "Gateway", upstream: "RawUpstream", part: bytes
) -> None:
    call = gateway.call()
    connection = await upstream.accept()
    await connection.answer(part)
    connection.close()

    with pytest.raises(UpstreamFailedError):
        await call.finish()

    assert len(upstream.accepted) == 1


@pytest.mark.spec("GW-12")
async def test_an_upstream_that_is_not_there_is_unavailable(
    upstream: "RawUpstream", gateway: "Gateway"
) -> None:
    upstream.stop_listening()

    with pytest.raises(UpstreamUnavailableError) as raised:
        await gateway.get()

    assert (raised.value.status, raised.value.code) == (503, "upstream_unavailable")
    assert int(raised.value.headers["Retry-After"]) > 0


@pytest.mark.spec("GW-9")
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
@pytest.mark.parametrize("reset", [False, True])
async def test_a_safe_request_on_a_connection_that_died_is_repeated_once(
    gateway: "Gateway", upstream: "RawUpstream", method: str, *, reset: bool
) -> None:
    warm = gateway.call()
    dying = await upstream.accept()
    await dying.answer()
    await warm.finish()

    call = gateway.call(method)
    first = await dying.read_head()
    if reset:
        dying.reset()
    else:
        dying.close()
    fresh = await upstream.accept()
    second = await fresh.answer()
    await call.finish()

    assert (call.status, first) == (200, second)


@pytest.mark.spec("GW-9")
async def test_a_request_that_cannot_be_repeated_is_unavailable(
    gateway: "Gateway", upstream: "RawUpstream"
) -> None:
    warm = gateway.call()
    dying = await upstream.accept()
    await dying.answer()
    await warm.finish()

    call = gateway.call()
    await dying.read_head()
    upstream.stop_listening()
    dying.close()

    with pytest.raises(UpstreamUnavailableError):
        await call.finish()


@pytest.mark.spec("GW-9")
async def test_a_request_is_not_repeated_twice(gateway: "Gateway", upstream: "RawUpstream") -> None:
    warm = gateway.call()
    dying = await upstream.accept()
    await dying.answer()
    await warm.finish()

    call = gateway.call()
    await dying.read_head()
    dying.close()
    fresh = await upstream.accept()
    await fresh.read_head()
    fresh.close()

    with pytest.raises(UpstreamFailedError):
        await call.finish()
    assert len(upstream.accepted) == 2


@pytest.mark.spec("GW-9")
@pytest.mark.parametrize(
    ("method", "length", "part"),
    [
        ("POST", b"0", b""),
        ("DELETE", b"0", b""),
        ("GET", b"3", b""),
        ("PUT", b"3", b""),
        ("GET", b"0", b"H"),
    ],
)
async def test_what_may_have_been_acted_on_is_not_repeated(
    gateway: "Gateway", upstream: "RawUpstream", method: str, length: bytes, part: bytes
) -> None:
    warm = gateway.call()
    dying = await upstream.accept()
    await dying.answer()
    await warm.finish()

    call = gateway.call(method, headers=[(b"content-length", length)], body=[b"a" * int(length)])
    await dying.answer(part)
    dying.close()

    with pytest.raises(UpstreamFailedError):
        await call.finish()
    assert len(upstream.accepted) == 1


@pytest.mark.spec("GW-11")
async def test_a_client_that_hangs_up_before_the_answer_ends_its_request(
    gateway: "Gateway", upstream: "RawUpstream"
) -> None:
    call = gateway.call()
    connection = await upstream.accept()
    await connection.read_head()

    call.hang_up()
    await call.finish()

    assert call.sent == []
    assert await connection.read_rest() == b""


@pytest.mark.spec("GW-11")
async def test_a_client_that_hangs_up_on_an_idle_stream_ends_its_request(
    gateway: "Gateway", upstream: "RawUpstream"
) -> None:
    call = gateway.call()
    connection = await upstream.accept()
    await connection.answer(STREAM)
    await call.until(lambda call: bool(call.sent))

    call.hang_up()
    await call.finish()

    assert not call.complete
    assert await connection.read_rest() == b""


@pytest.mark.spec("GW-11")
async def test_a_client_that_hangs_up_during_a_long_answer_ends_its_request(
    gateway: "Gateway", upstream: "RawUpstream"
) -> None:
    size = 200 * 1024 * 1024
    call = gateway.call()
    connection = await upstream.accept()
    await connection.answer(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
    connection.write(bytes(1024 * 1024))
    await call.until(lambda call: len(call.body) == 1024 * 1024)

    call.hang_up()
    await call.finish()

    assert not call.complete
    assert await connection.read_rest() == b""


@pytest.mark.spec("GW-11")
@pytest.mark.parametrize("streamed", [False, True])
async def test_a_client_that_hangs_up_after_its_answer_disturbs_nobody_else(
    upstream: "RawUpstream", make_gateway: Callable[..., "Gateway"], *, streamed: bool
) -> None:
    gateway = make_gateway(upstream.url, max_connections=1)
    first = gateway.call()
    connection = await upstream.accept()
    await connection.answer(STREAM if streamed else b"")
    await first.watched.wait()
    first.stop_reading()
    connection.write(b"2\r\nok\r\n0\r\n\r\n" if streamed else OK)
    second = gateway.call()
    await connection.read_head()

    first.hang_up()
    first.go_on_reading()
    await first.finish()
    connection.write(OK)
    await second.finish()

    assert (second.body, second.complete) == (b"ok", True)


@pytest.mark.spec("GW-11")
@pytest.mark.parametrize("answer", [b"", STREAM])
async def test_a_cancelled_request_gives_its_connection_back(
    gateway: "Gateway", upstream: "RawUpstream", answer: bytes
) -> None:
    call = gateway.call()
    connection = await upstream.accept()
    await connection.answer(answer)

    call.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call.finish()

    assert await connection.read_rest() == b""
