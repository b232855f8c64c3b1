"""One answer of an upstream, parsed as it arrives."""

import httptools

from gateway_service.upstream.errors import UpstreamFailedError
from gateway_service.upstream.request import Header

# Also bounds what else may come without any body in it: interim answers, trailers.
MAX_HEAD_BYTES = 64 * 1024

_FIRST_STATUS = 100
_FIRST_FINAL_STATUS = 200
_LAST_STATUS = 599
# Answers that end with their head whatever it says (RFC 9112 §6.3).
_WITHOUT_BODY = frozenset((204, 304))
_HANDLED = frozenset(
    (
        *(b"connection", b"content-length", b"date", b"keep-alive", b"server", b"te"),
        *(b"trailer", b"transfer-encoding", b"upgrade"),
        *(b"proxy-authenticate", b"proxy-authentication-info", b"proxy-connection"),
    )
)


class Answer:
    """Status, end-to-end headers and body of the final answer; interim answers are skipped.

    `started` tells that anything arrived, `has_head` that `status` and `headers` are set,
    `complete` that the whole body has arrived, `reusable` that another exchange may follow
    on the same connection. Use it with one parser for one answer only.
    """

    __slots__ = (
        "_connection",
        "_head_only",
        "_length",
        "_overhead",
        "_parser",
        "_pieces",
        "_transfer_encoding",
        "buffered",
        "complete",
        "has_head",
        "headers",
        "reusable",
        "started",
        "status",
    )

    def __init__(self, *, head_only: bool) -> None:
        self._head_only = head_only
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._connection = b""
        self._length: bytes | None = None
        self._transfer_encoding: bytes | None = None
        self._overhead = 0
        self._pieces: list[bytes] = []
        self.buffered = 0
        self.status = 0
        self.headers: list[Header] = []
        self.started = self.has_head = self.complete = self.reusable = False

    def feed(self, data: bytes) -> None:
        """Take what arrived. Raises `UpstreamFailedError` if it is no legal answer."""
        self.started = True
        if len(data) > MAX_HEAD_BYTES and not self.has_head:
            # Fed in parts, so that a head too large is seen before it is taken for complete.
            self.feed(data[:MAX_HEAD_BYTES])
            self.feed(data[MAX_HEAD_BYTES:])
        else:
            self._parse(data)

    def take(self) -> bytes:
        """Return the body that has arrived since the last call."""
        pieces, self._pieces, self.buffered = self._pieces, [], 0
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def end_of_stream(self) -> bool:
        """Tell whether the end of the connection is the legal end of this answer."""
        if self.has_head and not self.complete and not self._is_framed():
            self._finish(reusable=False)
        return self.complete

    def _parse(self, data: bytes) -> None:
        parser = self._parser
        if parser is None:
            self.reusable = False
            return
        buffered = self.buffered
        try:
            parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self.complete:
                raise UpstreamFailedError("The upstream's answer is not valid HTTP.") from error
            self.reusable = False
        if self.buffered == buffered and not self.complete:
            self._overhead += len(data)
            if self._overhead > MAX_HEAD_BYTES:
                raise UpstreamFailedError("The upstream's answer has too large a head.")

    def _finish(self, *, reusable: bool) -> None:
        self.complete = True
        self.reusable = reusable
        # The parser holds this object's methods: without it, no garbage cycle is left behind.
        self._parser = None

    # What follows is called by the parser.

    def on_message_begin(self) -> None:
        """Notice what follows an answer that is over."""
        if self.complete:
            self.reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep an end-to-end header; trailers are passed over."""
        name = name.lower()
        if name in _HANDLED:
            self._note(name, value)
        elif not self.has_head:
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Settle how the answer is framed, or skip it if it is an interim one."""
        parser = self._parser
        if parser is None:
            return
        status = parser.get_status_code()
        if status < _FIRST_FINAL_STATUS:
            self._skip_interim(status)
            return
        self.status = status
        self._check_framing()
        if self._connection:
            self._drop_nominated()
        self.has_head = True
        without_body = status in _WITHOUT_BODY
        if self._length is not None and not without_body:
            self.headers.append((b"content-length", self._length))
        if self._head_only or without_body:
            # No parser knows that this answers a HEAD, so a stray chunk would go unseen.
            surely_over = self._transfer_encoding is None
            self._finish(reusable=surely_over and parser.should_keep_alive())

    def on_body(self, data: bytes) -> None:
        """Keep a piece of the body until it is taken."""
        if self.complete:
            self.reusable = False
            return
        self._pieces.append(data)
        self.buffered += len(data)

    def on_message_complete(self) -> None:
        """Mark the end of the answer, by its own framing."""
        parser = self._parser
        if parser is not None and self.has_head:
            self._finish(reusable=parser.should_keep_alive())

    def _note(self, name: bytes, value: bytes) -> None:
        if self.has_head:
            return
        if name == b"content-length":
            self._length = value
        elif name == b"transfer-encoding":
            # Several fields are one list (RFC 9110 §5.3), which cannot then be just "chunked".
            known = self._transfer_encoding
            self._transfer_encoding = value if known is None else known + b"," + value
        elif name == b"connection":
            self._connection += b"," + value

    def _skip_interim(self, status: int) -> None:
        # The parser itself stops at 101: nobody asked for another protocol.
        if status < _FIRST_STATUS or self._is_framed():
            raise httptools.HttpParserError
        self.headers = []
        self._connection = b""

    def _is_framed(self) -> bool:
        return self._length is not None or self._transfer_encoding is not None

    def _check_framing(self) -> None:
        coding = self._transfer_encoding
        if self.status > _LAST_STATUS or (
            coding is not None
            and (self._length is not None or coding.strip().lower() != b"chunked")
        ):
            raise httptools.HttpParserError

    def _drop_nominated(self) -> None:
        nominated = {option.strip().lower() for option in self._connection.split(b",")}
        self.headers = [header for header in self.headers if header[0] not in nominated]
