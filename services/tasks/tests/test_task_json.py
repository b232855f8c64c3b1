"""What is read is written without Pydantic: it must be what Pydantic would have written."""

from typing import Any

import pytest
from httpx import AsyncClient

from tasks_service.schemas.task import TaskPage, TaskRead, TaskView
from tasks_service.schemas.task_json import TaskJson, TaskPageJson

TASKS = "/api/v1/tasks"
EVERY_CHARACTER = "".join(map(chr, [*range(1, 0x250), 0x2028, 0xFFFE, 0x1F600]))
GIVEN: list[dict[str, Any]] = [
    {},
    {"description": ""},
    {"description": EVERY_CHARACTER, "tags": ['"quoted" \\ </script>', "ß"]},
    {"due_on": "2026-12-31", "reminders": ["PT0M", "2026-05-01T08:00:00.5Z"]},
    {
        "due_at": "2026-03-29T03:30:00.120+02:00",
        "time_zone": "Europe/Berlin",
        "start_at": "2026-03-01T00:00:00Z",
        "recurrence": "FREQ=WEEKLY;BYDAY=MO,TH",
        "recurrence_from": "completion",
    },
    {"due_at": "0001-01-01T00:00:00Z", "start_at": "9999-12-31T23:59:59.999999Z"},
    *({"priority": priority} for priority in ("none", "low", "medium", "high", "urgent")),
    {"completed": True},
]


def test_the_fields_are_those_that_are_documented() -> None:
    assert TaskJson.__struct_fields__ == tuple(TaskRead.model_fields)
    assert TaskPageJson.__struct_fields__ == tuple(TaskView.model_fields)


@pytest.mark.spec("SPEED-2", "TASK-1", "TASK-17", "VIEW-2")
async def test_what_is_read_is_byte_for_byte_what_the_documented_models_write(
    alice: AsyncClient,
) -> None:
    home = (await alice.post("/api/v1/lists", json={"name": "home"})).json()["id"]
    parent = (await alice.post(TASKS, json={"title": "parent"})).json()["id"]
    for given in [*GIVEN, {"list_id": home}, {"parent_id": parent}]:
        written = await alice.post(TASKS, json={"title": "x", **given})
        read = await alice.get(written.headers["location"])
        task = TaskRead.model_validate_json(read.content)

        assert written.status_code == 201, written.text
        assert read.content == task.model_dump_json().encode() == written.content

    for query, kind in (
        ("", TaskPage),
        ("?limit=2", TaskPage),
        ("?count=true", TaskPage),
        ("?view=overdue", TaskView),
    ):
        page = await alice.get(TASKS + query)
        shown = kind.model_validate_json(page.content)

        assert page.content == shown.model_dump_json(exclude_unset=True).encode()
