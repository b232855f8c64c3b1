"""Recurrence as `/api/v1` takes and answers it."""

from enum import StrEnum


class RecurrenceFrom(StrEnum):
    """What the next occurrence is counted from."""

    DUE = "due"
    COMPLETION = "completion"
