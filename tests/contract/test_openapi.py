"""The one public OpenAPI document: whole, valid, and what the approved specs say."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastapi.openapi.models import OpenAPI
from httpx import AsyncClient

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
