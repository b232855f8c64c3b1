"""Which answers of this service have which headers, for its OpenAPI document."""

from dataclasses import replace

from service_kit.answer_headers import RETRY_AFTER, Answer, AnswerHeader
from service_kit.problems import answer_titles
from tasks_service.errors import IdempotencyKeyInUseError
from tasks_service.schemas.list import ListRead
from tasks_service.schemas.task import TaskRead

_VERSIONED = frozenset(f"#/components/schemas/{each.__name__}" for each in (TaskRead, ListRead))
# Of what is not sent, because the caller has it, or what stands against the caller's condition.
_WITHOUT_IT = frozenset(("304", "412"))


def _is_versioned(answer: Answer) -> bool:
    content = answer.described.get("content", {}).get("application/json", {})
    return answer.status in _WITHOUT_IT or content.get("schema", {}).get("$ref") in _VERSIONED


def _is_created(answer: Answer) -> bool:
    return answer.status == "201" and _is_versioned(answer)


def _is_written(answer: Answer) -> bool:
    # What writes takes the name of the client that it writes for.
    names = {each["name"] for each in answer.operation.get("parameters", ())}
    return answer.status.startswith("2") and "X-Client-Id" in names


def _is_file(answer: Answer) -> bool:
    return "text/calendar" in answer.described.get("content", {})


def _is_for_later(answer: Answer) -> bool:
    in_use = answer_titles(answer.described).keys() == {IdempotencyKeyInUseError.code}
    return in_use or RETRY_AFTER.of(answer)


def _may_be_for_later(answer: Answer) -> bool:
    return IdempotencyKeyInUseError.code in answer_titles(answer.described)


ANSWER_HEADERS = (
    AnswerHeader(
        "ETag",
        "The `version`, for `If-Match` and `If-None-Match`.",
        _is_versioned,
        {"type": "string", "pattern": '^"[0-9]+"$'},
    ),
    AnswerHeader(
        "Location",
        "Where what was created is.",
        _is_created,
        {"type": "string", "format": "uri-reference"},
    ),
    AnswerHeader(
        "X-Sync-Cursor",
        "A cursor that includes this write; absent if nothing had to be written.",
        _is_written,
        optional=True,
    ),
    AnswerHeader("Content-Disposition", "That it is a file, and its name.", _is_file),
    replace(RETRY_AFTER, of=_is_for_later, at_times=_may_be_for_later),
)
