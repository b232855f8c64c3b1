"""Many writes of a user in one transaction."""

from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from service_kit.errors import ServiceError, ValidationFailedError
from service_kit.problems import ProblemField
from tasks_service.schemas.batch import (
    Batch,
    BatchResult,
    Operation,
    OperationError,
    OperationResult,
)
from tasks_service.schemas.task import TaskRead
from tasks_service.schemas.written import Written
from tasks_service.services import task as task_service
from tasks_service.services import trash as trash_service
from tasks_service.services.account import writes_of, writing
from tasks_service.services.idempotency import MANY, KeyedRequest, written_once
from tasks_service.services.task_write import insert_task

_STATUS = {"create": 201, "delete": 204}
# The member of an operation that the fields of a refused one are in.
_PART = {"create": "/task", "update": "/patch", "move": "/move"}


async def run_batch(session: AsyncSession, user_id: str, batch: Batch) -> BatchResult:
    """Carry out the operations in order, each by itself or all or none.

    All or none raises what the first that fails does, with its `index`.
    """
    results = []
    async with writing(session):
        for index, operation in enumerate(batch.operations):
            try:
                task = await _run(session, user_id, operation)
            except ServiceError as error:
                problem = _in_batch(error, index, operation)
                if batch.atomic:
                    problem.extensions["index"] = index
                    raise problem from None
                results.append(_failed(problem))
            else:
                status = _STATUS.get(operation.op, 200)
                results.append(
                    OperationResult.model_construct(status=status, task=task, error=None)
                )
    return BatchResult.model_construct(results=results)


async def run_batch_once(session: AsyncSession, user_id: str, batch: Batch, key: str | None) -> str:
    """Carry out the operations, under one key once; return the `BatchResult` as JSON.

    Raises what `run_batch` does, `IdempotencyKeyReusedError` and `IdempotencyKeyInUseError`.
    """

    async def run() -> Written:
        result = await run_batch(session, user_id, batch)
        version = writes_of(session).last or 0
        return Written(MANY, version, result.model_dump_json(exclude_unset=True))

    if key is None:
        return (await run()).json
    meaning = batch.model_dump_json(exclude_unset=True)
    request = KeyedRequest(user_id, "POST /api/v1/batch", key, meaning)
    return (await written_once(session, request, run)).json


async def _run(session: AsyncSession, user_id: str, operation: Operation) -> TaskRead | None:
    given: Any = operation
    task_id: UUID = given.id or uuid7()
    condition = operation.condition()
    match operation.op:
        case "create":
            return await insert_task(session, user_id, task_id, given.task)
        case "update":
            return await task_service.update_task(session, user_id, task_id, given.patch, condition)
        case "move":
            return await task_service.move_task(session, user_id, task_id, given.move, condition)
        case "complete" | "reopen":
            return await task_service.set_completed(
                session,
                user_id,
                task_id,
                completed=operation.op == "complete",
                if_match=condition,
            )
        case "skip":
            return await task_service.skip_task(session, user_id, task_id, condition)
        case "delete" | "restore":
            return await _delete_or_restore(session, user_id, operation)


async def _delete_or_restore(
    session: AsyncSession, user_id: str, operation: Operation
) -> TaskRead | None:
    given: Any = operation
    if operation.op == "restore":
        return await trash_service.restore_task(session, user_id, given.id)
    await task_service.delete_task(session, user_id, given.id, operation.condition())
    return None


def _in_batch(error: ServiceError, index: int, operation: Operation) -> ServiceError:
    """Return the error as one of the batch, pointing into its body."""
    if not isinstance(error, ValidationFailedError):
        return error
    at = f"#/operations/{index}{_PART.get(operation.op, '')}"
    return ValidationFailedError(
        ProblemField(**{**field, "pointer": at + field["pointer"].removeprefix("#")})
        for field in error.extensions["errors"]
    )


def _failed(error: ServiceError) -> OperationResult:
    problem = OperationError(
        title=error.title,
        status=error.status,
        detail=error.detail,
        code=error.code,
        **error.extensions,
    )
    return OperationResult.model_construct(status=error.status, task=None, error=problem)
