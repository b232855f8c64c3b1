import pytest
from httpx import AsyncClient

from service_kit.api import ServiceApi
from service_kit.errors import (
    InternalError,
    MalformedJsonError,
    NotFoundError,
    error_catalogue,
    problem,
)
from service_kit.problems import join_answers, problem_answer


@pytest.mark.spec("ERR-1")
async def test_an_error_is_answered_as_a_whole_problem(client: AsyncClient) -> None:
    response = await client.get("/teapot", headers={"X-Request-Id": "r-1"})

    assert response.status_code == 418
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["x-spout"] == "yes"
    assert response.headers["cache-control"] == "no-store"
    assert response.json() == {
        "type": "http://localhost:8080/docs/errors#teapot",
        "title": "Teapot",
        "status": 418,
        "detail": "Short and stout.",
        "code": "teapot",
        "request_id": "r-1",
    }


@pytest.mark.spec("ERR-2")
async def test_a_wrong_body_field_is_named_by_its_json_pointer(client: AsyncClient) -> None:
    response = await client.post("/pots", json={"litres": "many"})

    assert response.status_code == 422
    body = response.json()
    assert body["code"] == "validation_failed"
    assert isinstance(body["detail"], str)
    assert [field["pointer"] for field in body["errors"]] == ["#/litres"]


@pytest.mark.spec("ERR-2")
async def test_a_wrong_parameter_is_named(client: AsyncClient) -> None:
    response = await client.post("/pots?size=big", json={"litres": 1})

    assert [field["parameter"] for field in response.json()["errors"]] == ["size"]


@pytest.mark.spec("ERR-3")
@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"[1,"])
async def test_a_body_that_is_no_json_is_400(client: AsyncClient, body: bytes) -> None:
    response = await client.post(
        "/pots", content=body, headers={"Content-Type": "application/json"}
    )

    assert (response.status_code, response.json()["code"]) == (400, "malformed_json")


@pytest.mark.spec("ERR-4")
async def test_an_unknown_address_is_404(client: AsyncClient) -> None:
    response = await client.get("/nowhere")

    assert (response.status_code, response.json()["code"]) == (404, "not_found")


@pytest.mark.spec("ERR-4")
async def test_an_undeclared_method_is_405_with_allow(client: AsyncClient) -> None:
    response = await client.delete("/teapot")

    assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")
    assert response.headers["allow"] == "GET"


@pytest.mark.spec("ERR-5")
async def test_an_unforeseen_failure_shows_nothing_of_its_inside(client: AsyncClient) -> None:
    response = await client.get("/broken", headers={"X-Request-Id": "r-2"})

    assert (response.status_code, response.json()["code"]) == (500, "internal_error")
    assert "secret" not in response.text
    assert response.headers["x-request-id"] == "r-2"


async def test_a_trailing_slash_is_not_redirected(client: AsyncClient) -> None:
    assert (await client.get("/teapot/")).status_code == 404


def test_openapi_describes_errors_as_problems(api: ServiceApi) -> None:
    document = api.openapi()

    assert "HTTPValidationError" not in document["components"]["schemas"]
    answers = document["paths"]["/pots"]["post"]["responses"]
    assert answers["422"]["content"].keys() == {"application/problem+json"}
    assert document["paths"]["/teapot"]["get"]["responses"]["418"]["description"] == (
        "Teapot (`teapot`)"
    )


def test_the_catalogue_knows_every_code_once() -> None:
    codes = [error.code for error in error_catalogue()]

    assert codes == sorted(set(codes))
    assert {"internal_error", "validation_failed", "teapot"} <= set(codes)


@pytest.mark.spec("ERR-7")
def test_each_answer_names_its_codes_and_its_titles() -> None:
    joined = join_answers(problem(NotFoundError, InternalError), problem(MalformedJsonError))

    assert list(joined) == [404, 500, 400]
    assert join_answers(joined, {404: problem_answer({"gone": "Gone (for good)"})})[404] == {
        "description": "Not found (`not_found`); Gone (for good) (`gone`)",
        "content": {
            "application/problem+json": {
                "schema": {
                    "$ref": "#/components/schemas/Problem",
                    "properties": {"code": {"enum": ["not_found", "gone"]}},
                }
            }
        },
    }


@pytest.mark.spec("ERR-7")
def test_what_may_be_left_out_of_a_url_is_never_said_to_be_null(api: ServiceApi) -> None:
    (parameter,) = api.openapi()["paths"]["/pots"]["get"]["parameters"]

    assert parameter["schema"] == {"type": "string", "title": "Colour"}
