from typing import Any

import pytest
from httpx import AsyncClient, Response

IMPORT = "/api/v1/import"
HEADER = (
    "TYPE,CONTENT,DESCRIPTION,PRIORITY,INDENT,AUTHOR,RESPONSIBLE,DATE,DATE_LANG,TIMEZONE,"
    "DURATION,DURATION_UNIT"
)


async def send(user: AsyncClient, *lines: str, header: str = HEADER) -> Response:
    content = "\r\n".join([header, *lines]).encode()
    return await user.post(IMPORT, content=content, headers={"Content-Type": "text/csv"})


async def export(user: AsyncClient) -> Any:
    return (await user.get("/api/v1/export")).json()


@pytest.mark.spec("DATA-16")
async def test_a_template_becomes_lists_tasks_and_subtasks(alice: AsyncClient) -> None:
    response = await send(
        alice,
        "meta,view_style=list,,,,,,,,,,",
        "task,Pay the rent @home @money,By transfer,1,1,Ada (1),,2026-12-01,en,Europe/Berlin,,",
        "note,See the contract,,,,Ada (1),,,,,,",
        ",,,,,,,,,,,",
        "section,Garden,,,,,,,,,,",
        "task,Plant,,2,1,,,2026-12-01 09:30,en,Europe/Berlin,30,minute",
        "task,Buy bulbs,,3,2,,,2026-12-01T09:30:15,en,,,",
        "task,Tulips,,4,3,,,every day,en,Europe/Berlin,,",
        "task,mail@example.com,,,1,,,,,,,",
    )

    assert response.json() == {"lists": 1, "tags": 2, "tasks": 5, "completions": 0}
    document = await export(alice)
    (garden,) = document["lists"]
    rent, plant, bulbs, tulips, mail = document["tasks"]
    assert garden["name"] == "Garden"
    assert (rent["title"], rent["tags"], rent["priority"]) == (
        "Pay the rent",
        ["home", "money"],
        "urgent",
    )
    assert rent["description"] == "By transfer\n\nSee the contract"
    assert (rent["due_on"], rent["due_at"], rent["list_id"]) == ("2026-12-01", None, None)
    assert (plant["due_at"], plant["time_zone"]) == ("2026-12-01T08:30:00Z", "Europe/Berlin")
    assert (bulbs["due_at"], bulbs["time_zone"]) == ("2026-12-01T09:30:15Z", None)
    assert (tulips["due_on"], tulips["description"]) == (None, "DATE: every day")
    assert [one["parent_id"] for one in (plant, bulbs, tulips, mail)] == [
        None,
        plant["id"],
        bulbs["id"],
        None,
    ]
    assert [one["priority"] for one in (plant, bulbs, tulips, mail)] == [
        "high",
        "medium",
        "none",
        "none",
    ]
    assert {one["list_id"] for one in (plant, bulbs, tulips, mail)} == {garden["id"]}
    assert (mail["title"], mail["tags"]) == ("mail@example.com", [])


@pytest.mark.spec("DATA-9", "DATA-16")
@pytest.mark.parametrize(
    ("lines", "places"),
    [
        (["Task,x,,,"], [(2, "TYPE")]),
        (["task,x,,,1", "task,,,,1"], [(3, "CONTENT")]),
        (["task,x,,5,1"], [(2, "PRIORITY")]),
        (["task,x,,,0"], [(2, "INDENT")]),
        (["task,x,,,6"], [(2, "INDENT")]),
        (["task,x,,,2"], [(2, "INDENT")]),
        (["task,x,,,1", "section,s,,,", "task,y,,,2"], [(4, "INDENT")]),
        (["note,x,,,"], [(2, "TYPE")]),
        (["section,,,,", f"section,{'s' * 101},,,"], [(2, "CONTENT"), (3, "CONTENT")]),
        (["task,,,,1", "task,child,,,2"], [(2, "CONTENT")]),
        (["task,x,,,1", f"note,{'n' * 10_001},,,"], [(3, "CONTENT")]),
        ([f"task,x @{'t' * 51},,,1"], [(2, "CONTENT")]),
    ],
)
async def test_what_is_wrong_with_a_template_is_told_by_line_and_column(
    alice: AsyncClient, lines: list[str], places: list[tuple[int, str]]
) -> None:
    response = await send(alice, *lines, header="TYPE,CONTENT,DESCRIPTION,PRIORITY,INDENT")

    assert (response.status_code, response.json()["code"]) == (422, "import_refused")
    errors = response.json()["errors"]
    assert [(error["line"], error["field"]) for error in errors] == places
    assert (await export(alice))["tasks"] == []
