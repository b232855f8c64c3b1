"""How much a task matters."""

from enum import StrEnum


class Priority(StrEnum):
    """From the least to the most pressing, in the order they sort."""

    NONE = "none"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    URGENT = "urgent"
