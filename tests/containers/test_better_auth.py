"""Users of a real Better Auth server, which the containers reach over the network."""

import secrets

import httpx
import pytest

from devkit.compose_system import ComposeSystem

TASKS = "/api/v1/tasks"


async def sign_up(issuer: str, name: str) -> dict[str, str]:
    async with httpx.AsyncClient(base_url=f"{issuer}/api/auth", trust_env=False) as session:
        email = f"{name}-{secrets.token_hex(8)}@example.test"
        body = {"name": name, "email": email, "password": secrets.token_urlsafe()}
        (await session.post("/sign-up/email", json=body)).raise_for_status()
        token = (await session.get("/token")).raise_for_status().json()["token"]
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.spec("CON-10")
async def test_a_better_auth_user_reaches_their_tasks_and_nobody_elses(
    system: ComposeSystem, issuer: str
) -> None:
    ada, mallory = await sign_up(issuer, "Ada"), await sign_up(issuer, "Mallory")

    async with httpx.AsyncClient(base_url=system.url, trust_env=False, timeout=30) as client:
        created = await client.post(TASKS, json={"title": "Write to Ada"}, headers=ada)
        listed = await client.get(TASKS, headers=ada)
        foreign = await client.get(created.headers["location"], headers=mallory)
        others = await client.get(TASKS, headers=mallory)

    assert created.status_code == 201
    assert [task["id"] for task in listed.json()["items"]] == [created.json()["id"]]
    assert foreign.status_code == 404
    assert others.json()["items"] == []
