"""The request bodies that the public OpenAPI document shows are accepted as they stand."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from httpx import AsyncClient

from devkit.specs.project import public_document, taskgate

Json = dict[str, Any]
DOCUMENT = public_document(taskgate(Path()))


class Body(NamedTuple):
    """A request body as an operation documents it."""

    method: str
    path: str
    parameters: set[str]
    content_type: str
    described: Json


def _bodies() -> Iterator[Body]:
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            parameters = {each["name"] for each in operation.get("parameters", [])}
            content = operation.get("requestBody", {}).get("content", {})
            for content_type, described in content.items():
                yield Body(method, path, parameters, content_type, described)


def _schema(described: Json) -> Json:
    # A body that may be left out is one of it and null.
    schema = next(iter(described["schema"].get("anyOf", [described["schema"]])))
    *_, name = schema.get("$ref", "").split("/")
    found: Json = DOCUMENT["components"]["schemas"].get(name, schema)
    return found


def _example(described: Json) -> str:
    example = described["example"] if "example" in described else _schema(described)["examples"][0]
    return example if isinstance(example, str) else json.dumps(example)


async def _ids(client: AsyncClient, user_id: str) -> dict[str, str]:
    made = await client.post("/api/v1/tasks", json={"title": "x", "tags": ["x"]})
    listed = await client.post("/api/v1/lists", json={"name": "x"})
    (tag,) = (await client.get("/api/v1/tags")).json()["items"]
    return {
        "task_id": made.json()["id"],
        "list_id": listed.json()["id"],
        "tag_id": tag["id"],
        "user_id": user_id,
    }


@pytest.mark.spec("GW-21")
@pytest.mark.parametrize("body", list(_bodies()), ids=lambda body: " ".join((*body[:2], body[3])))
async def test_the_example_of_a_body_is_accepted(
    alice: AsyncClient, alice_id: str, body: Body
) -> None:
    path = body.path.format_map(await _ids(alice, alice_id))
    # Whoever may say which version is to be changed must, of a PUT.
    condition = {"If-Match": "*"} if "If-Match" in body.parameters else {}
    headers = {"Content-Type": body.content_type, **condition}

    # Twice, as a reader may press the button.
    answers = [
        await alice.request(body.method, path, content=_example(body.described), headers=headers)
        for _ in range(2)
    ]

    assert all(answer.is_success for answer in answers), answers[-1].text
