"""One OpenAPI document of everything public."""

import copy
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from starlette.responses import JSONResponse, Response

from gateway_service import public_document
from gateway_service.main import build_api
from gateway_service.public_document import PublicDocument, merge

if TYPE_CHECKING:
    from gateway.tests.conftest import EchoUpstream, Gateway, MakeGateway

INNER: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Tasks", "version": "1"},
    "paths": {
        "/api/v1/tasks": {
            "parameters": [],
            "get": {
                "parameters": [
                    {"name": "X-User-Id", "in": "header"},
                    {"name": "limit", "in": "query"},
                ],
                "responses": {
                    "200": {"description": "The tasks"},
                    "401": {"description": "Invalid identity (`identity_invalid`)"},
                    "503": {"description": "Database unavailable (`database_unavailable`)"},
                },
                "security": [{"inner": []}],
            },
            "post": {"parameters": [{"name": "X-Identity", "in": "header"}]},
        },
        "/readyz": {"get": {"responses": {}}},
        "/internal/v1/purge": {"post": {"responses": {}}},
    },
    "components": {
        "schemas": {"Task": {"type": "object"}},
        "securitySchemes": {"inner": {"type": "apiKey", "name": "X-Identity", "in": "header"}},
    },
}


def operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        operation
        for item in document["paths"].values()
        for operation in item.values()
        if isinstance(operation, dict)
    ]


@pytest.mark.spec("GW-16")
async def test_the_document_has_what_is_public_of_both_and_nothing_else(
    make_gateway: "MakeGateway", upstream: "EchoUpstream"
) -> None:
    upstream.openapi = INNER
    gateway = await make_gateway(public_url="https://tasks.example.com")

    response = await gateway.get("/openapi.json")

    document = response.json()
    assert response.headers["content-type"] == "application/json"
    assert list(document["paths"]) == [
        "/api/v1/auth/logout",
        "/api/v1/auth/logout-all",
        "/api/v1/me",
        "/api/v1/tasks",
    ]
    assert document["servers"] == [{"url": "https://tasks.example.com"}]
    assert {"Task", "Me", "Problem"} <= set(document["components"]["schemas"])


@pytest.mark.spec("GW-16")
def test_every_operation_is_behind_the_bearer_token() -> None:
    document = merge(build_api().openapi(), INNER, "https://tasks.example.com")

    scheme = document["components"]["securitySchemes"]["bearer"]
    assert (scheme["type"], scheme["scheme"], scheme["bearerFormat"]) == ("http", "bearer", "JWT")
    assert list(document["components"]["securitySchemes"]) == ["bearer"]
    assert [operation["security"] for operation in operations(document)] == [[{"bearer": []}]] * 5
    assert all({"401", "503"} <= set(operation["responses"]) for operation in operations(document))


@pytest.mark.spec("AUTH-38")
def test_what_changes_something_may_be_forbidden_to_a_page() -> None:
    tasks = merge(build_api().openapi(), INNER, "https://x.example")["paths"]["/api/v1/tasks"]

    assert "origin_forbidden" in tasks["post"]["responses"]["403"]["description"]
    assert "403" not in tasks["get"]["responses"]


def test_what_only_the_services_behind_say_to_one_another_is_left_out() -> None:
    document = merge(build_api().openapi(), INNER, "https://tasks.example.com")

    tasks = document["paths"]["/api/v1/tasks"]
    assert tasks["get"]["parameters"] == [{"name": "limit", "in": "query"}]
    assert "parameters" not in tasks["post"]
    assert "identity_invalid" not in tasks["get"]["responses"]["401"]["description"]
    assert tasks["get"]["responses"]["503"]["description"] == (
        "Database unavailable (`database_unavailable`); "
        "Authentication unavailable (`auth_unavailable`); "
        "Overloaded (`overloaded`); "
        "Service unavailable (`upstream_unavailable`)"
    )


@pytest.mark.spec("ERR-7")
def test_what_the_gateway_adds_stands_beside_what_the_service_declares() -> None:
    document = merge(build_api().openapi(), INNER, "https://tasks.example.com")

    answer = document["paths"]["/api/v1/tasks"]["get"]["responses"]["503"]
    schema = answer["content"]["application/problem+json"]["schema"]
    assert schema["$ref"] == "#/components/schemas/Problem"
    assert schema["properties"]["code"]["enum"] == [
        "database_unavailable",
        "auth_unavailable",
        "overloaded",
        "upstream_unavailable",
    ]


@pytest.mark.spec("ERR-7", "EVENT-14")
def test_only_a_stream_may_be_one_too_many() -> None:
    inner = {**INNER, "paths": {**INNER["paths"], "/api/v1/events": {"get": {}}}}

    paths = merge(build_api().openapi(), inner, "https://tasks.example.com")["paths"]

    full = {path for path, item in paths.items() if "streams_full" in str(item)}
    assert full == {"/api/v1/events"}


@pytest.mark.spec("GW-22")
def test_headers_the_service_declares_stay_beside_the_gateways() -> None:
    inner = copy.deepcopy(INNER)
    inner["components"]["headers"] = {"ETag": {"schema": {"type": "string"}}}
    answers = inner["paths"]["/api/v1/tasks"]["get"]["responses"]
    for status in ("200", "503"):
        answers[status]["headers"] = {"ETag": {"$ref": "#/components/headers/ETag"}}

    document = merge(build_api().openapi(), inner, "https://tasks.example.com")

    of_all = {"ETag", "X-Request-Id", "RateLimit", "RateLimit-Policy"}
    merged = document["paths"]["/api/v1/tasks"]["get"]["responses"]
    assert set(merged["200"]["headers"]) == of_all
    assert set(merged["503"]["headers"]) == of_all | {"Retry-After"}
    assert set(merged["401"]["headers"]) == {"X-Request-Id", "WWW-Authenticate"}
    assert of_all <= document["components"]["headers"].keys()


def test_merging_changes_neither_part() -> None:
    own = build_api().openapi()

    documents = [merge(own, INNER, "https://tasks.example.com") for _ in range(2)]

    assert documents[0] == documents[1]
    assert INNER["paths"]["/api/v1/tasks"]["get"]["security"] == [{"inner": []}]


async def test_the_tasks_service_is_asked_once_a_minute(
    gateway: "Gateway", upstream: "EchoUpstream"
) -> None:
    for _ in range(3):
        await gateway.get("/openapi.json")

    assert upstream.openapi_requests == 1


@pytest.mark.parametrize(
    "answer", [Response(status_code=500), Response("<html>"), JSONResponse([]), JSONResponse({})]
)
async def test_a_document_that_cannot_be_made_is_unavailable_and_no_half_one(
    gateway: "Gateway", upstream: "EchoUpstream", answer: Response
) -> None:
    upstream.openapi = answer

    response = await gateway.get("/openapi.json")

    assert (response.status_code, response.json()["code"]) == (503, "upstream_unavailable")
    assert response.headers["retry-after"] == "1"


async def test_the_last_good_document_outlives_the_tasks_service(upstream: "EchoUpstream") -> None:
    now = [0.0]
    async with httpx.AsyncClient(base_url=upstream.url, trust_env=False) as tasks:
        document = PublicDocument(build_api().openapi(), tasks, "http://x", lambda: now[0])
        first = await document.get()
        await upstream.stop()
        now[0] += public_document.FRESH_SECONDS

        again = await document.get()

    assert again == first
