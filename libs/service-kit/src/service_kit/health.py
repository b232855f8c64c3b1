"""Is the process alive, and can it do its work: the two questions an orchestrator asks."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

Check = Callable[[], Awaitable[None]]

router = APIRouter(tags=["health"])
_CHECK_SECONDS = 2.0


class Health(BaseModel):
    """Whether the service can do its work, and what stops it."""

    status: Literal["ok", "unavailable"]
    failing: list[str] = []


def set_readiness_checks(app: Any, checks: Mapping[str, Check]) -> None:  # noqa: ANN401 - any ASGI app with a `state`
    """Name what the service cannot work without; a check raises when its part is down."""
    app.state.readiness_checks = dict(checks)


@router.get("/healthz")
async def get_health() -> Health:
    """Tell that the process is alive."""
    return Health(status="ok")


@router.get("/readyz", responses={503: {"model": Health, "description": "Names what is down."}})
async def get_readiness(request: Request, response: Response) -> Health:
    """Tell whether everything the service needs answers."""
    checks: dict[str, Check] = getattr(request.app.state, "readiness_checks", {})
    results = await asyncio.gather(*(_passes(check) for check in checks.values()))
    failing = [name for name, passed in zip(checks, results, strict=True) if not passed]
    if failing:
        response.status_code = 503
        return Health(status="unavailable", failing=failing)
    return Health(status="ok")


async def _passes(check: Check) -> bool:
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            await check()
    except Exception:  # noqa: BLE001 - whatever a dependency raises, it is down
        return False
    return True
