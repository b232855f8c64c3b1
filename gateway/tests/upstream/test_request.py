"""What the upstream is told of the client's request."""

import pytest

from gateway_service.upstream.request import CHUNKED, NO_BODY, Header, build_head

AUTHORITY = b"tasks:8000"
IDENTITY = [(b"x-user-id", b"alice"), (b"x-identity", b"signed")]
IDENTITY_LINES = b"x-user-id: alice\r\nx-identity: signed\r\n"


def head_of(
    *headers: Header, method: str = "GET", path: bytes = b"/", query: bytes = b""
) -> tuple[bytes, int]:
    scope = {
        "method": method,
        "raw_path": path,
        "query_string": query,
        "headers": list(headers),
    }
    return build_head(scope, AUTHORITY, IDENTITY)


BARE = b"GET / HTTP/1.1\r\nhost: tasks:8000\r\n" + IDENTITY_LINES + b"\r\n"


@pytest.mark.spec("GW-5")
def test_method_path_and_query_are_copied_byte_for_byte() -> None:
    head, _ = head_of(method="PATCH", path=b"/a%2Fb/%e4%b8;x=1//", query=b"q=%20+&&x=%zz?")

    assert head.startswith(b"PATCH /a%2Fb/%e4%b8;x=1//?q=%20+&&x=%zz? HTTP/1.1\r\n")


@pytest.mark.spec("GW-5")
def test_end_to_end_headers_pass_in_order_and_repeated() -> None:
    headers = [
        (b"accept", b"a"),
        (b"if-match", b'"7"'),
        (b"accept-encoding", b"gzip"),
        (b"accept", b"b"),
    ]

    head, _ = head_of(*headers)

    assert b'accept: a\r\nif-match: "7"\r\naccept-encoding: gzip\r\naccept: b\r\n' in head


@pytest.mark.spec("GW-1")
@pytest.mark.parametrize(
    "name",
    [
        *(b"x-user-id", b"X-User-Id", b"x_user_id", b"X_USER-ID", b"x-user-role", b"x-userid"),
        *(b"x-identity", b"X_Identity", b"x-identity-expires", b"x_identity_signature"),
        *(b"x-forwarded-for", b"x_forwarded_user", b"X-Forwarded-Host", b"forwarded", b"x-real-ip"),
        *(b"x-request-id", b"x_real_ip", b"authorization", b"AUTHORIZATION", b"cookie"),
    ],
)
def test_a_clients_word_on_who_it_is_is_dropped(name: bytes) -> None:
    head, _ = head_of((name, b"mallory"), (name, b"again"))

    assert head == BARE


@pytest.mark.spec("GW-6")
@pytest.mark.parametrize(
    "name",
    [
        *(b"connection", b"keep-alive", b"te", b"trailer", b"upgrade", b"expect", b"host"),
        *(b"proxy-authorization", b"proxy-connection", b"proxy", b"http2-settings"),
        *(b"transfer_encoding", b"content_length", b"Keep_Alive"),
    ],
)
def test_hop_by_hop_headers_end_here(name: bytes) -> None:
    head, _ = head_of((name, b"close"))

    assert head == BARE


@pytest.mark.spec("GW-6")
def test_headers_nominated_by_connection_end_here() -> None:
    head, _ = head_of(
        (b"x-hop", b"1"),
        (b"connection", b"keep-alive, X-Hop"),
        (b"connection", b" x_other"),
        (b"x-other", b"2"),
        (b"accept", b"a"),
    )

    assert head == BARE.replace(b"x-user-id", b"accept: a\r\nx-user-id")


@pytest.mark.spec("GW-1")
def test_a_client_cannot_nominate_the_identity_away() -> None:
    head, _ = head_of((b"connection", b"x-user-id, x-identity"))

    assert head == BARE


def test_a_client_cannot_nominate_the_framing_away() -> None:
    _, declared = head_of((b"connection", b"content-length"), (b"content-length", b"3"))
    _, chunked = head_of((b"connection", b"transfer-encoding"), (b"transfer-encoding", b"chunked"))

    assert (declared, chunked) == (3, CHUNKED)


@pytest.mark.parametrize(
    ("method", "headers", "line", "length"),
    [
        ("GET", [], b"", NO_BODY),
        ("DELETE", [], b"", NO_BODY),
        ("POST", [], b"content-length: 0\r\n", NO_BODY),
        ("PUT", [(b"content-length", b"0")], b"content-length: 0\r\n", NO_BODY),
        ("PATCH", [(b"content-length", b"12")], b"content-length: 12\r\n", 12),
        ("GET", [(b"content-length", b"12")], b"content-length: 12\r\n", 12),
        ("POST", [(b"transfer-encoding", b"chunked")], b"transfer-encoding: chunked\r\n", CHUNKED),
        (
            "POST",
            [(b"transfer-encoding", b"chunked"), (b"content-length", b"5")],
            b"transfer-encoding: chunked\r\n",
            CHUNKED,
        ),
        (
            "POST",
            [(b"content-length", b"5"), (b"transfer-encoding", b"chunked")],
            b"transfer-encoding: chunked\r\n",
            CHUNKED,
        ),
    ],
)
def test_there_is_one_framing_and_only_for_a_body(
    method: str, headers: list[Header], line: bytes, length: int
) -> None:
    head, found = head_of(*headers, method=method)

    assert head.split(b"\r\n", 2)[2] == line + IDENTITY_LINES + b"\r\n"
    assert found == length


@pytest.mark.parametrize("value", [b"alice\r\nx-admin: 1", b"alice\n", b"alice\r"])
def test_an_identity_that_would_break_out_of_its_header_is_refused(value: bytes) -> None:
    scope = {"method": "GET", "raw_path": b"/", "query_string": b"", "headers": []}

    with pytest.raises(ValueError, match="line break"):
        build_head(scope, AUTHORITY, [(b"x-user-id", value)])
