"""How answers are read, whatever pieces they arrive in."""

import pytest

from gateway_service.upstream.answer import MAX_HEAD_BYTES, Answer
from gateway_service.upstream.errors import UpstreamFailedError

OK = b"HTTP/1.1 200 OK\r\n"
CREATED = b"201 Created\r\nContent-Length: 1\r\n\r\na"


def parse(data: bytes, *, step: int = 1, head_only: bool = False) -> tuple[Answer, bytes]:
    answer = Answer(head_only=head_only)
    body = b""
    for start in range(0, len(data), step):
        answer.feed(data[start : start + step])
        body += answer.take()
    return answer, body


# Answer, answers a HEAD, status, body, another exchange may follow.
LEGAL = {
    "content-length": (OK + b"Content-Length: 3\r\n\r\nabc", False, 200, b"abc", True),
    "empty": (OK + b"Content-Length: 0\r\n\r\n", False, 200, b"", True),
    "chunked": (
        OK + b"Transfer-Encoding: Chunked\r\n\r\n2;x=1\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
        *(False, 200, b"abc", True),
    ),
    "trailers": (
        OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: 1\r\nConnection: x\r\n\r\n",
        *(False, 200, b"a", True),
    ),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", False, 204, b"", True),
    "reset content": (
        b"HTTP/1.1 205 Reset\r\nContent-Length: 0\r\n\r\n",
        *(False, 205, b"", True),
    ),
    "not modified": (
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
        *(False, 304, b"", True),
    ),
    "head": (OK + b"Content-Length: 9\r\n\r\n", True, 200, b"", True),
    "head of chunked": (OK + b"Transfer-Encoding: chunked\r\n\r\n", True, 200, b"", False),
    "head without framing": (OK + b"\r\n", True, 200, b"", False),
    "close": (OK + b"Connection: close\r\nContent-Length: 1\r\n\r\na", False, 200, b"a", False),
    "http 1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", False, 200, b"a", False),
    "http 1.0 kept": (
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\na",
        *(False, 200, b"a", True),
    ),
    "continue": (
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 1\r\n\r\na",
        *(False, 200, b"a", True),
    ),
    "interim": (
        b"HTTP/1.1 102 P\r\n\r\nHTTP/1.1 103 E\r\nX-A: 1\r\n\r\n" + OK[:9] + CREATED,
        *(False, 201, b"a", True),
    ),
    "no reason": (b"HTTP/1.1 599\r\nContent-Length: 0\r\n\r\n", False, 599, b"", True),
}


@pytest.mark.spec("GW-7")
@pytest.mark.parametrize("step", [1, 7, 10_000])
@pytest.mark.parametrize("name", LEGAL)
def test_every_legal_answer_is_understood(name: str, step: int) -> None:
    data, head_only, status, body, reusable = LEGAL[name]

    answer, found = parse(data, step=step, head_only=head_only)

    assert answer.complete
    assert (answer.status, found, answer.reusable) == (status, body, reusable)


@pytest.mark.spec("GW-7")
@pytest.mark.parametrize("start", [b"HTTP/1.0 200 OK\r\n", OK, OK + b"Connection: close\r\n"])
def test_an_answer_without_framing_ends_with_the_connection(start: bytes) -> None:
    answer, body = parse(start + b"\r\nabc")
    before = answer.complete

    legal = answer.end_of_stream()

    assert (before, legal, body, answer.reusable) == (False, True, b"abc", False)


@pytest.mark.spec("GW-8")
@pytest.mark.parametrize(
    "data",
    [
        b"",
        OK,
        b"HTTP/1.1 100 Continue\r\n\r\n",
        OK + b"Content-Length: 3\r\n\r\nab",
        OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n",
    ],
)
def test_an_answer_cut_short_is_never_complete(data: bytes) -> None:
    answer, _ = parse(data)

    legal = answer.end_of_stream()

    assert (legal, answer.complete) == (False, False)


@pytest.mark.spec("GW-6")
def test_hop_by_hop_headers_end_here_and_the_rest_keeps_its_order() -> None:
    answer, _ = parse(
        OK + b"Date: now\r\nServer: x\r\nSet-Cookie: a=1\r\nConnection: keep-alive, X-Hop\r\n"
        b"X-Hop: 1\r\nKeep-Alive: timeout=5\r\nETag: W/1\r\nTrailer: X-Sum\r\nUpgrade: h2c\r\n"
        b"Proxy-Authenticate: Basic\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n"
    )

    assert answer.headers == [
        (b"set-cookie", b"a=1"),
        (b"etag", b"W/1"),
        (b"set-cookie", b"b=2"),
        (b"content-length", b"0"),
    ]


@pytest.mark.spec("GW-7")
def test_headers_of_interim_answers_and_trailers_are_left_out() -> None:
    answer, _ = parse(
        b"HTTP/1.1 103 Early\r\nLink: x\r\nConnection: X-B\r\n\r\n"
        + OK
        + b"X-B: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 1\r\n\r\n"
    )

    assert answer.headers == [(b"x-b", b"1")]


def test_a_length_is_told_for_a_head_but_not_for_an_answer_that_has_no_body() -> None:
    head, _ = parse(OK + b"Content-Length: 9\r\n\r\n", head_only=True)
    not_modified, _ = parse(b"HTTP/1.1 304 NM\r\nContent-Length: 9\r\n\r\n")

    assert head.headers == [(b"content-length", b"9")]
    assert not_modified.headers == []


MALFORMED = {
    "no http": b"SSH-2.0-OpenSSH_9.7\r\n",
    "html": b"<html>nonsense</html>",
    "status": b"HTTP/1.1 abc OK\r\n\r\n",
    "status too high": b"HTTP/1.1 600 X\r\nContent-Length: 0\r\n\r\n",
    "status too low": b"HTTP/1.1 099 X\r\nContent-Length: 0\r\n\r\n",
    "version": b"HTTP/3.7 200 OK\r\nContent-Length: 0\r\n\r\n",
    "both framings": OK + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
    "both framings turned": OK + b"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n1\r\na",
    "two lengths": OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\na",
    "length no number": OK + b"Content-Length: one\r\n\r\na",
    "length negative": OK + b"Content-Length: -1\r\n\r\na",
    "other coding": OK + b"Transfer-Encoding: gzip\r\n\r\n",
    "two codings": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "two coding fields": (
        OK + b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
    "control character": OK + b"X-A: a\x00b\r\nContent-Length: 0\r\n\r\n",
    "space in name": OK + b"X A: 1\r\nContent-Length: 0\r\n\r\n",
    "chunk size": OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    "switching protocols": (
        b"HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x00"
    ),
    "switching protocols unnamed": b"HTTP/1.1 101 S\r\n\r\n",
    "interim with a body": b"HTTP/1.1 103 E\r\nContent-Length: 3\r\n\r\nabc",
}


@pytest.mark.spec("GW-12")
@pytest.mark.parametrize("step", [1, 10_000])
@pytest.mark.parametrize("name", MALFORMED)
def test_nonsense_is_refused(name: str, step: int) -> None:
    with pytest.raises(UpstreamFailedError):
        parse(MALFORMED[name], step=step)


@pytest.mark.parametrize("step", [5_000, 10_000_000])
@pytest.mark.parametrize(
    "start",
    [
        OK + b"X-A: ",
        OK + b"X-A: 1\r\n" * 10_000,
        b"HTTP/1.1 103 E\r\n\r\n" * 10_000,
        OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: ",
    ],
    ids=["one field", "many fields", "interim answers", "trailers"],
)
def test_a_head_without_end_is_refused_before_it_fills_memory(start: bytes, step: int) -> None:
    data = start + b"a" * 4 * MAX_HEAD_BYTES

    with pytest.raises(UpstreamFailedError):
        parse(data, step=step)


def test_a_large_body_does_not_count_as_head() -> None:
    body = b"a" * 4 * MAX_HEAD_BYTES

    answer, found = parse(OK + b"Content-Length: %d\r\n\r\n%b" % (len(body), body), step=10**7)

    assert (answer.complete, found == body) == (True, True)


@pytest.mark.parametrize("head_only", [False, True])
@pytest.mark.parametrize("surplus", [b"x", OK, OK + b"Content-Length: 0\r\n\r\n"])
@pytest.mark.parametrize("step", [1, 10_000])
def test_bytes_after_a_complete_answer_end_the_connections_use(
    surplus: bytes, step: int, *, head_only: bool
) -> None:
    body = b"" if head_only else b"a"

    answer, found = parse(
        OK + b"Content-Length: 1\r\n\r\n" + body + surplus, step=step, head_only=head_only
    )

    assert (answer.complete, answer.reusable, found) == (True, False, body)
