"""The one public OpenAPI document: whole, valid, and what the approved specs say."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastapi.openapi.models import OpenAPI
from httpx import AsyncClient

from devkit.declared import Declared
from devkit.stack import Stack

SPECS = Path(__file__).parents[2] / "specs" / "api"
METHODS = {"get", "put", "post", "delete", "patch", "head", "options"}

Json = dict[str, Any]


@pytest.fixture
async def document(anonymous: AsyncClient) -> Json:
    """Give the document as a client gets it."""
    served: Json = (await anonymous.get("/openapi.json")).json()
    return served


def _operations(document: Json) -> dict[tuple[str, str], Json]:
    return {
        (method, path): operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    }


def _nodes(node: Any) -> Iterator[Json]:
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node:
        if isinstance(child, dict | list):
            yield from _nodes(child)


def _pointed_at(document: Json, reference: str) -> Json:
    found: Json = document
    for name in reference.removeprefix("#/").split("/"):
        found = found[name]
    return found


@pytest.mark.spec("GW-16")
def test_the_document_is_valid_openapi_3_1(document: Json) -> None:
    valid = OpenAPI.model_validate(document)

    assert valid.openapi.startswith("3.1.")
    assert valid.info.title
    assert valid.info.version


@pytest.mark.spec("GW-16")
def test_every_reference_leads_somewhere(document: Json) -> None:
    references = [node["$ref"] for node in _nodes(document) if isinstance(node.get("$ref"), str)]

    assert references
    assert all(_pointed_at(document, reference) for reference in references)


@pytest.mark.spec("GW-16")
def test_operation_ids_are_unique(document: Json) -> None:
    ids = [operation["operationId"] for operation in _operations(document).values()]

    assert len(ids) == len(set(ids))


@pytest.mark.spec("GW-16")
def test_every_part_of_a_path_in_braces_is_declared(document: Json) -> None:
    for (_, path), operation in _operations(document).items():
        declared = {
            parameter["name"]
            for parameter in operation.get("parameters", [])
            if parameter["in"] == "path"
        }
        in_path = {part[1:-1] for part in path.split("/") if part.startswith("{")}
        assert declared == in_path, path


@pytest.mark.spec("SPEC-2", "GW-16")
def test_the_document_has_exactly_the_public_operations_of_the_approved_specs(
    document: Json,
) -> None:
    specs = [yaml.safe_load((SPECS / f"{name}.yaml").read_text()) for name in ("gateway", "tasks")]
    planned = {name for spec in specs for name in spec["x-approval"].get("planned", [])}
    approved = {
        (method, path)
        for spec in specs
        for method, path in _operations(spec)
        if f"{method.upper()} {path}" not in planned
    }

    served = set(_operations(document))

    assert {one for one in served if one[1].startswith("/api/")} == {
        one for one in approved if one[1].startswith("/api/")
    }
    assert not any(path.startswith("/internal") for _, path in served)


@pytest.mark.spec("GW-16")
def test_every_operation_under_api_wants_a_bearer_token(document: Json) -> None:
    schemes = document["components"]["securitySchemes"]
    bearers = {name for name, scheme in schemes.items() if scheme.get("scheme") == "bearer"}

    for (_, path), operation in _operations(document).items():
        wanted = operation.get("security", document.get("security", []))
        if path.startswith("/api/"):
            assert wanted, path
            assert all(set(one) <= bearers and one for one in wanted), path
            assert {"401", "503"} <= set(operation["responses"]), path


@pytest.mark.spec("ERR-1", "GW-16")
def test_every_error_answer_is_described_as_a_problem(document: Json) -> None:
    for (_, path), operation in _operations(document).items():
        for status, answer in operation["responses"].items():
            if status.startswith(("4", "5")):
                content = answer["content"]
                assert list(content) == ["application/problem+json"], (path, status)
                schema = content["application/problem+json"]["schema"]
                assert schema["$ref"].endswith("/Problem"), (path, status)


@pytest.mark.spec("GW-16")
def test_the_document_names_the_address_clients_use(document: Json, stack: Stack) -> None:
    assert [server["url"] for server in document["servers"]] == [stack.url]


@pytest.mark.spec("ERR-1")
async def test_answers_have_only_statuses_their_operation_declares(
    alice: AsyncClient, document: Json
) -> None:
    task = (await alice.post("/api/v1/tasks", json={"title": "x"})).json()["id"]
    undeclared = []
    for (method, path), operation in _operations(document).items():
        address = path.replace("{task_id}", task)
        if not path.startswith("/api/v1/") or "{" in address:
            continue
        for body in (b"", b"{", b"{}", b'{"title": "y"}'):
            answer = await alice.request(
                method, address, content=body, headers={"Content-Type": "application/json"}
            )
            if str(answer.status_code) not in operation["responses"]:
                undeclared.append((method, path, body, answer.status_code))

    assert undeclared == []


@pytest.mark.spec("GW-22")
async def test_every_header_a_page_may_read_is_declared(
    alice: AsyncClient, document: Json, frontend: str
) -> None:
    answer = await alice.get("/api/v1/tasks", headers={"Origin": frontend})
    readable = answer.headers["access-control-expose-headers"].split(", ")

    used = {
        name
        for operation in _operations(document).values()
        for described in operation["responses"].values()
        for name in described["headers"]
    }

    assert used == set(document["components"]["headers"]) == {*readable, "WWW-Authenticate"}


@pytest.mark.spec("GW-22")
@pytest.mark.parametrize(
    ("method", "path", "status", "own"),
    [
        ("get", "/api/v1/tasks", "200", set()),
        ("get", "/api/v1/me", "200", set()),
        ("get", "/api/v1/tasks/{task_id}", "200", {"ETag"}),
        ("get", "/api/v1/tasks/{task_id}", "304", {"ETag"}),
        ("post", "/api/v1/tasks", "201", {"ETag", "Location", "X-Sync-Cursor"}),
        ("put", "/api/v1/tasks/{task_id}", "200", {"ETag", "X-Sync-Cursor"}),
        ("patch", "/api/v1/tasks/{task_id}", "412", {"ETag"}),
        ("delete", "/api/v1/tasks/{task_id}", "204", {"X-Sync-Cursor"}),
        ("post", "/api/tasks", "201", {"X-Sync-Cursor"}),
        ("post", "/api/v1/recurrence/preview", "200", set()),
        ("get", "/api/v1/export", "200", {"Content-Disposition"}),
        ("post", "/api/v1/import", "409", {"Retry-After"}),
        ("post", "/api/v1/batch", "409", {"Retry-After"}),
        ("get", "/api/v1/events", "429", {"Retry-After"}),
    ],
)
def test_an_answer_declares_its_own_headers_beside_those_of_all(
    document: Json, method: str, path: str, status: str, own: set[str]
) -> None:
    declared = document["paths"][path][method]["responses"][status]["headers"]

    assert set(declared) == {"X-Request-Id", "RateLimit", "RateLimit-Policy", *own}


@pytest.mark.spec("GW-22")
async def test_real_answers_have_the_headers_that_are_declared(
    alice: AsyncClient, anonymous: AsyncClient, declared: Declared
) -> None:
    created = await alice.post("/api/v1/tasks", json={"title": "x"})
    task, etag = created.headers["location"], created.headers["etag"]
    answers = [
        created,
        await alice.get(task),
        await alice.get(task, headers={"If-None-Match": etag}),
        await alice.patch(task, json={"title": "y"}, headers={"If-Match": '"0"'}),
        await alice.delete(task),
        await alice.get(task),
        await alice.post("/api/tasks", json={"title": "x"}),
        await alice.get("/api/v1/export"),
        await alice.get("/api/v1/me"),
        await anonymous.get("/api/v1/tasks"),
    ]

    assert [answer.status_code for answer in answers] == [
        *(201, 200, 304, 412, 204, 404, 201, 200, 200, 401)
    ]
    for answer in answers:
        method, path, status = answer.request.method, answer.request.url.path, answer.status_code
        code = answer.json()["code"] if answer.is_error else None
        assert not declared.objection(method, path, status, code, answer.headers.keys())
