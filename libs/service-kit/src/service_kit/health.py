"""Is the process alive, and can it do its work: the two questions an orchestrator asks."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Literal

from fastapi import APIRouter, FastAPI, Request, Response
from pydantic import BaseModel

Check = Callable[[], Awaitable[None]]

# The name of the request's state, and of the part that fails, when this process is about to end.
LEAVING = "leaving"

router = APIRouter(tags=["health"])
_CHECK_SECONDS = 2.0


class Health(BaseModel):
    """Whether the service can do its work, and what stops it."""

    status: Literal["ok", "unavailable"]
    failing: list[str] = []


def set_readiness_checks(
    app: FastAPI, checks: Mapping[str, Check], optional: Iterable[str] = ()
) -> None:
    """Name the parts the service leans on; a check raises when its part is down.

    One that is `optional` is named when it is down, but the service stays ready without it.
    """
    app.state.readiness_checks = dict(checks)
    app.state.optional_parts = frozenset(optional)


@router.get("/healthz")
async def get_health() -> Health:
    """Tell that the process is alive."""
    return Health(status="ok")


@router.get("/readyz", responses={503: {"model": Health, "description": "Names what is down."}})
async def get_readiness(request: Request, response: Response) -> Health:
    """Tell whether everything the service needs answers."""
    state = request.app.state
    checks: dict[str, Check] = getattr(state, "readiness_checks", {})
    optional: frozenset[str] = getattr(state, "optional_parts", frozenset())
    results = await asyncio.gather(*(_passes(check) for check in checks.values()))
    failing = [name for name, passed in zip(checks, results, strict=True) if not passed]
    if getattr(request.state, LEAVING, False):
        failing.append(LEAVING)
    # An unready replica gets no requests: slower must not become an outage.
    if optional.issuperset(failing):
        return Health(status="ok", failing=failing)
    response.status_code = 503
    return Health(status="unavailable", failing=failing)


async def _passes(check: Check) -> bool:
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            await check()
    except Exception:  # noqa: BLE001 - whatever a dependency raises, it is down
        return False
    return True
