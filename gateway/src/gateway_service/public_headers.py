"""Which answers have which of the gateway's own headers, for the public OpenAPI document."""

from service_kit.answer_headers import RETRY_AFTER, Answer, AnswerHeader
from service_kit.edge_errors import HeadersTooLargeError, TargetTooLongError

_UNAUTHORIZED = "401"
# So early nobody knows yet whose request it is.
_NOBODYS = frozenset(
    (_UNAUTHORIZED, *(str(each.status) for each in (HeadersTooLargeError, TargetTooLongError)))
)


def _is_any(_answer: Answer) -> bool:
    return True


def _may_be_counted(answer: Answer) -> bool:
    return answer.status not in _NOBODYS


PUBLIC_HEADERS = (
    AnswerHeader(
        "X-Request-Id",
        "What the request is called in logs: the client's own `X-Request-Id`, or a new one.",
        _is_any,
        {"type": "string", "pattern": "^[A-Za-z0-9._:-]{1,128}$"},
    ),
    AnswerHeader(
        "RateLimit-Policy",
        "How many requests (`q`) there may be in how many seconds (`w`).",
        _may_be_counted,
        optional=True,
    ),
    AnswerHeader(
        "RateLimit",
        "How many of them remain (`r`), and for how many seconds (`t`).",
        _may_be_counted,
        optional=True,
    ),
    AnswerHeader(
        "WWW-Authenticate",
        "`Bearer`, with `error` for a token that is not good (RFC 6750).",
        lambda answer: answer.status == _UNAUTHORIZED,
    ),
    RETRY_AFTER,
)
