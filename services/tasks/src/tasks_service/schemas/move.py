"""Where something is to stand among its like."""

from typing import Self
from uuid import UUID

from pydantic import Field, model_validator

from tasks_service.schemas.body import RequestBody


class Place(RequestBody):
    """Right after one, right before one, or behind all."""

    after_id: UUID | None = Field(default=None, description="Excludes `before_id`.")
    before_id: UUID | None = Field(default=None, description="Excludes `after_id`.")

    @model_validator(mode="after")
    def _one_side(self) -> Self:
        if self.after_id is not None and self.before_id is not None:
            raise ValueError("after_id and before_id exclude each other")
        return self
