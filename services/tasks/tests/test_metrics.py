"""What the tasks service counts, and how it names the routes that answer."""

from collections.abc import Callable

import pytest
from fastapi import FastAPI
from httpx import AsyncClient
from prometheus_client import generate_latest

from tasks_service.main import create_app
from tasks_service.settings import TasksSettings

ROUTE = "x-taskgate-route"


@pytest.mark.spec("OBS-3")
async def test_each_answer_names_its_route_and_never_its_path(alice: AsyncClient) -> None:
    task = (await alice.post("/api/v1/tasks", json={"title": "x"})).json()["id"]
    paths = {
        f"/api/v1/tasks/{task}": "/api/v1/tasks/{task_id}",
        "/api/v1/tasks?limit=1": "/api/v1/tasks",
        "/api/v1/tasks/": "/api/v1/tasks",
        "/api/tasks": "/api/tasks",
        f"/api/tasks/{task}": "/api/tasks/{task_id}",
        "/api/v1/nowhere": "unmatched",
    }

    named = [(await alice.get(path)).headers[ROUTE] for path in paths]
    foreign = (await alice.get("/api/bob/tasks")).headers[ROUTE]
    refused = (await alice.put("/api/v1/tasks")).headers[ROUTE]

    assert named == list(paths.values())
    assert [foreign, refused] == ["/api/{user_id}/tasks", "/api/v1/tasks"]


@pytest.mark.spec("OBS-4")
async def test_the_connections_in_use_are_shown(
    settings: TasksSettings, user_of: Callable[[FastAPI, str], AsyncClient]
) -> None:
    app = create_app(settings.model_copy(update={"database_pool_size": 3}))
    async with app.router.lifespan_context(app):
        user = user_of(app, "alice")
        await user.get("/api/v1/tasks")
        text = generate_latest(app.state.metrics.registry).decode()
        assert "\ntaskgate_database_connections_in_use 0.0\n" in text
        assert "\ntaskgate_database_connections_max 3.0\n" in text

        async with app.state.resources.database.engine.connect():
            text = generate_latest(app.state.metrics.registry).decode()
            assert "\ntaskgate_database_connections_in_use 1.0\n" in text
