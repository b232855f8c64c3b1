"""The ways a request to this service can fail, one class each."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from service_kit.errors import ServiceError


class TaskNotFoundError(ServiceError):
    """The task does not exist, or belongs to somebody else."""

    status: ClassVar[int] = 404
    code: ClassVar[str] = "task_not_found"
    title: ClassVar[str] = "Task not found"

    def __init__(self) -> None:
        # Without the id: the answer is the same bytes whichever id was asked for.
        super().__init__("You have no task with this id.")


class ListNotFoundError(ServiceError):
    """The list does not exist, or belongs to somebody else."""

    status: ClassVar[int] = 404
    code: ClassVar[str] = "list_not_found"
    title: ClassVar[str] = "List not found"

    def __init__(self) -> None:
        # Without the id, as for a task.
        super().__init__("You have no list with this id.")


class TagNotFoundError(ServiceError):
    """The tag does not exist, or belongs to somebody else."""

    status: ClassVar[int] = 404
    code: ClassVar[str] = "tag_not_found"
    title: ClassVar[str] = "Tag not found"

    def __init__(self) -> None:
        # Without the id, as for a task.
        super().__init__("You have no tag with this id.")


class NotRecurringError(ServiceError):
    """The task is due once, or done."""

    status: ClassVar[int] = 409
    code: ClassVar[str] = "not_recurring"
    title: ClassVar[str] = "Not recurring"

    def __init__(self) -> None:
        super().__init__("This task has no recurrence, or is completed: there is nothing to skip.")


class PreconditionFailedError(ServiceError):
    """The task or list is not in the state the request was conditional on.

    `current` is the one that stands, JSON-ready; `changed` names the fields of it that the caller
    has not seen, if that is known.
    """

    status: ClassVar[int] = 412
    code: ClassVar[str] = "precondition_failed"
    title: ClassVar[str] = "Precondition failed"

    def __init__(self, current: dict[str, Any], changed: list[str] | None = None) -> None:
        super().__init__(
            "What this request changes is not in the state it asks for; it stands under current.",
            headers={"ETag": f'"{current["version"]}"'},
            extensions={"current": current} | ({} if changed is None else {"changed": changed}),
        )


class PreconditionRequiredError(ServiceError):
    """The request must say whether it creates or replaces."""

    status: ClassVar[int] = 428
    code: ClassVar[str] = "precondition_required"
    title: ClassVar[str] = "Precondition required"

    def __init__(self) -> None:
        super().__init__("Send If-None-Match: * to create the task, or If-Match to replace it.")


class IdempotencyKeyReusedError(ServiceError):
    """The key was used for another request."""

    status: ClassVar[int] = 422
    code: ClassVar[str] = "idempotency_key_reused"
    title: ClassVar[str] = "Idempotency key reused"

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key was used with another body; make a new one.")


class IdempotencyKeyInUseError(ServiceError):
    """The first request with the key is still running."""

    status: ClassVar[int] = 409
    code: ClassVar[str] = "idempotency_key_in_use"
    title: ClassVar[str] = "Idempotency key in use"

    def __init__(self) -> None:
        super().__init__(
            "A request with this Idempotency-Key is still running; try again shortly.",
            headers={"Retry-After": "1"},
        )


class InvalidCursorError(ServiceError):
    """The cursor was not made by this service for this user and this query, or not yet."""

    status: ClassVar[int] = 400
    code: ClassVar[str] = "invalid_cursor"
    title: ClassVar[str] = "Invalid cursor"

    def __init__(self, detail: str = "this one belongs to another query") -> None:
        super().__init__(f"Start again without a cursor: {detail}.")


class ResyncRequiredError(ServiceError):
    """The cursor is older than the tombstones to tell of, or of another epoch of the account."""

    status: ClassVar[int] = 410
    code: ClassVar[str] = "resync_required"
    title: ClassVar[str] = "Resync required"

    def __init__(self) -> None:
        super().__init__("This cursor is too old to tell what changed since: sync without one.")


class TooManyStreamsError(ServiceError):
    """The user has as many event streams open as one may have."""

    status: ClassVar[int] = 429
    code: ClassVar[str] = "too_many_streams"
    title: ClassVar[str] = "Too many streams"

    def __init__(self) -> None:
        super().__init__(
            "You have too many event streams open; close one, or let your tabs share one.",
            headers={"Retry-After": "30"},
        )


class ExportRunningError(ServiceError):
    """The user's last export is still being read."""

    status: ClassVar[int] = 429
    code: ClassVar[str] = "export_running"
    title: ClassVar[str] = "Export running"

    def __init__(self) -> None:
        super().__init__(
            "An export of yours is still under way; read it to its end, or try again shortly.",
            headers={"Retry-After": "5"},
        )


class UserMismatchError(ServiceError):
    """The path names another user than the caller."""

    status: ClassVar[int] = 403
    code: ClassVar[str] = "user_mismatch"
    title: ClassVar[str] = "User mismatch"

    def __init__(self) -> None:
        super().__init__("The user in the address is not the user of the token.")


class UnsupportedMediaTypeError(ServiceError):
    """The body is not sent as JSON."""

    status: ClassVar[int] = 415
    code: ClassVar[str] = "unsupported_media_type"
    title: ClassVar[str] = "Unsupported media type"

    def __init__(self) -> None:
        super().__init__(
            "Send the body as Content-Type: application/json.",
            headers={"Accept": "application/json"},
        )


class UnsupportedFileTypeError(UnsupportedMediaTypeError):
    """The file is of a kind that is not imported."""

    def __init__(self) -> None:
        super().__init__()
        self.detail = "Send the file as Content-Type: application/json or text/csv."
        self.headers = {"Accept": "application/json, text/csv"}


class FileTooLargeError(ServiceError):
    """The file is longer than an import may be."""

    status: ClassVar[int] = 413
    code: ClassVar[str] = "body_too_large"
    title: ClassVar[str] = "Body too large"

    def __init__(self, limit: int) -> None:
        super().__init__(f"The file is longer than {limit} bytes.")


class MalformedCsvError(ServiceError):
    """The file is no CSV at all."""

    status: ClassVar[int] = 400
    code: ClassVar[str] = "malformed_csv"
    title: ClassVar[str] = "Malformed CSV"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)


class ImportRefusedError(ServiceError):
    """The file holds what cannot be imported, so that nothing of it was.

    Each of `problems` has the `detail`, and the `line` and `field` of a CSV file or the `pointer`
    into a JSON document.
    """

    status: ClassVar[int] = 422
    code: ClassVar[str] = "import_refused"
    title: ClassVar[str] = "Import refused"

    def __init__(self, problems: Sequence[Mapping[str, Any]]) -> None:
        first = problems[0]
        where = first.get("pointer") or f"line {first['line']}"
        super().__init__(
            f"Nothing was imported. {where}: {first['detail']}",
            extensions={"errors": list(problems)},
        )


class ConfirmationRequiredError(ServiceError):
    """What cannot be undone was asked for without saying so."""

    status: ClassVar[int] = 428
    code: ClassVar[str] = "confirmation_required"
    title: ClassVar[str] = "Confirmation required"

    def __init__(self) -> None:
        super().__init__(
            "This removes everything you have, for good: send X-Confirm: delete if you mean it."
        )


class DatabaseUnavailableError(ServiceError):
    """The database does not answer, or not in time."""

    status: ClassVar[int] = 503
    code: ClassVar[str] = "database_unavailable"
    title: ClassVar[str] = "Database unavailable"

    def __init__(self) -> None:
        super().__init__(
            "The database cannot be reached at the moment; try again shortly.",
            headers={"Retry-After": "5"},
        )
