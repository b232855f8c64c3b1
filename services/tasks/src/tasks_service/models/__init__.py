"""The tables; `metadata` describes all of them."""

from tasks_service.models.account import Account
from tasks_service.models.base import metadata
from tasks_service.models.completion import Completion
from tasks_service.models.idempotency_key import IdempotencyKey
from tasks_service.models.list import TaskList
from tasks_service.models.tag import Tag, TaskTag
from tasks_service.models.task import Task
from tasks_service.models.task_count import TaskCount
from tasks_service.models.tombstone import Tombstone

__all__ = [
    "Account",
    "Completion",
    "IdempotencyKey",
    "Tag",
    "Task",
    "TaskCount",
    "TaskList",
    "TaskTag",
    "Tombstone",
    "metadata",
]
