import pytest
from fastapi import Response
from httpx import AsyncClient

from tasks_service.dependencies.lean import lean
from tasks_service.dependencies.resources import DatabaseSession


def test_a_route_that_needs_more_than_the_request_cannot_be_lean() -> None:
    async def needs_session(session: DatabaseSession) -> Response:
        return Response(str(session))

    with pytest.raises(TypeError, match="session"):
        lean(needs_session)


@pytest.mark.spec("TASK-6")
@pytest.mark.parametrize(
    ("lean_request", "other_request"),
    [
        ("GET /api/v1/tasks/nonsense", "DELETE /api/v1/tasks/nonsense"),
        ("GET /api/v1/tasks?limit=0&count=x", "GET /api/v1/lists?limit=0&archived=x"),
        ("GET /api/v1/tasks?limit=", "GET /api/v1/lists?limit="),
    ],
)
async def test_a_lean_route_refuses_in_the_words_of_every_other(
    alice: AsyncClient, lean_request: str, other_request: str
) -> None:
    answers = [await alice.request(*line.split()) for line in (lean_request, other_request)]
    problems = [
        [
            {**error, "parameter": error["parameter"].replace("archived", "count")}
            for error in errors
        ]
        for errors in (answer.json()["errors"] for answer in answers)
    ]

    assert [answer.status_code for answer in answers] == [422, 422]
    assert sorted(map(str, problems[0])) == sorted(map(str, problems[1]))
