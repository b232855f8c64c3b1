from typing import Any

import pytest

from devkit.declared import Declared, Failure, seen, unseen


def _problem(*codes: str) -> dict[str, Any]:
    schema = {"properties": {"code": {"enum": list(codes)}}}
    return {"content": {"application/problem+json": {"schema": schema}}}


DECLARED = Declared(
    {
        "paths": {
            "/things/{thing_id}": {"get": {"responses": {"200": {}, "404": _problem("no_thing")}}},
            "/things/own": {"get": {"responses": {"200": {}}}},
            "/of/{user_id}/things": {"post": {"responses": {"201": {}}}},
        }
    }
)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/things/1", 200, None),
        ("HEAD", "/things/1", 200, None),
        ("GET", "/things/1", 404, "no_thing"),
        ("GET", "/things/own", 200, None),
        ("POST", "/of/a/b/things/", 201, None),
        ("PUT", "/things/1", 405, "method_not_allowed"),
        ("GET", "/elsewhere", 404, "not_found"),
    ],
)
def test_what_is_declared_or_no_operations_is_right(
    method: str, path: str, status: int, code: str | None
) -> None:
    assert DECLARED.objection(method, path, status, code) is None


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/things/1", 404, "not_found"),
        ("GET", "/things/1", 500, "internal_error"),
        ("GET", "/things/1", 204, None),
        ("GET", "/things/own", 404, "no_thing"),
        ("POST", "/of/a/things", 200, None),
    ],
)
def test_what_is_not_declared_is_objected_to(
    method: str, path: str, status: int, code: str | None
) -> None:
    assert str(status) in str(DECLARED.objection(method, path, status, code))


@pytest.mark.spec("ERR-9")
def test_what_is_declared_and_was_not_seen_is_named_and_what_is_shared_need_be_seen_once() -> None:
    shared = [Failure(f"GET /{name}", 503, "database_unavailable") for name in "ab"]
    own = [Failure(f"GET /{name}", 404, "task_not_found") for name in "ab"]

    assert unseen([*shared, *own], []) == sorted([*shared, *own])
    assert unseen([*shared, *own], [shared[0], own[0]]) == [own[1]]


@pytest.mark.spec("ERR-9")
def test_every_way_to_fail_is_known_and_what_was_answered_is_seen() -> None:
    assert DECLARED.objection("GET", "/things/7", 404, "no_thing") is None

    failures = list(DECLARED.failures())

    assert failures == [Failure("GET /things/{thing_id}", 404, "no_thing")]
    assert failures[0] in seen


@pytest.mark.spec("GW-22")
@pytest.mark.parametrize(
    ("headers", "wrong"),
    [
        ({"etag", "age"}, None),
        ({"etag", "ratelimit"}, None),
        ({"etag", "retry-after"}, None),
        ({"ratelimit"}, "without ETag"),
        ({"etag", "location"}, "with Location"),
    ],
)
def test_headers_the_document_knows_are_there_as_it_declares(
    headers: set[str], wrong: str | None
) -> None:
    always = {"required": True}
    known = {"ETag": always, "RateLimit": {}, "Location": always, "Retry-After": always}
    of_all = {name: {"$ref": f"#/components/headers/{name}"} for name in ("ETag", "RateLimit")}
    answer: dict[str, Any] = {"headers": {**of_all, "Retry-After": {"schema": {}}}}
    paths = {"/things": {"get": {"responses": {"200": answer}}}}
    declared = Declared({"paths": paths, "components": {"headers": known}})

    objection = declared.objection("GET", "/things", 200, None, headers)

    assert objection == (wrong and f"GET /things answers 200 {wrong}")
