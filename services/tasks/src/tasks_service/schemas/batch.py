"""Batches as `/api/v1` takes and answers them."""

from typing import Annotated, ClassVar, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, model_validator

from service_kit.problems import ProblemField
from tasks_service.schemas.body import Example, RequestBody
from tasks_service.schemas.entity_tags import EntityTags, parse_entity_tags
from tasks_service.schemas.task import TaskMove, TaskPatch, TaskRead, TaskWrite

Op = Literal["create", "update", "move", "complete", "reopen", "skip", "delete", "restore"]
# What an operation has besides `op`; each must be there but those in parentheses.
_MEMBERS: dict[Op, tuple[set[str], set[str]]] = {
    "create": ({"task"}, {"id"}),
    "update": ({"id", "patch"}, {"if_match"}),
    "move": ({"id", "move"}, {"if_match"}),
    "complete": ({"id"}, {"if_match"}),
    "reopen": ({"id"}, {"if_match"}),
    "skip": ({"id"}, {"if_match"}),
    "delete": ({"id"}, {"if_match"}),
    "restore": ({"id"}, set()),
}


def _entity_tags(value: str) -> str:
    parse_entity_tags(value)
    return value


class Operation(RequestBody):
    """One write, as the route of its name does it."""

    op: Op
    id: UUID | None = Field(default=None, description="Of the task; for `create` optional.")
    if_match: Annotated[str, AfterValidator(_entity_tags)] | None = Field(
        default=None, description='ETags to change, like `"3"`; not for `create` and `restore`.'
    )
    task: TaskWrite | None = Field(default=None, description="For `create`.")
    patch: TaskPatch | None = Field(default=None, description="For `update`.")
    move: TaskMove | None = Field(default=None, description="For `move`.")

    @model_validator(mode="after")
    def _members(self) -> Self:
        needed, optional = _MEMBERS[self.op]
        given = {name for name in self.model_fields_set if getattr(self, name) is not None}
        if missing := needed - given:
            raise ValueError(f"{self.op} needs {', '.join(sorted(missing))}")
        if superfluous := given - needed - optional - {"op"}:
            raise ValueError(f"{self.op} takes no {', '.join(sorted(superfluous))}")
        return self

    def condition(self) -> EntityTags | None:
        """Return what `if_match` says."""
        return None if self.if_match is None else parse_entity_tags(self.if_match)


class Batch(RequestBody):
    """Some writes, in order."""

    example: ClassVar[Example] = {
        "atomic": True,
        "operations": [
            {"op": "create", "task": {"title": "Buy soil"}},
            {"op": "create", "task": {"title": "Repot the fern", "tags": ["home"]}},
        ],
    }

    atomic: StrictBool = Field(default=False, description="All of them or none.")
    operations: Annotated[list[Operation], Field(min_length=1, max_length=100)]


class OperationError(BaseModel):
    """Why an operation failed: a problem, whose page is that of its `code`."""

    model_config = ConfigDict(extra="allow")

    title: str
    status: int
    detail: str
    code: str
    errors: list[ProblemField] | None = None


class OperationResult(BaseModel):
    """What became of one operation: the task as it was written, or the error."""

    status: int
    task: TaskRead | None = Field(description="Null after `delete`.")
    error: OperationError | None


class BatchResult(BaseModel):
    """What became of the operations, in their order."""

    results: list[OperationResult]
