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
# So many seconds a part has to answer. A service behind gives its own parts as long.
PART_SECONDS, SERVICE_SECONDS = 2.0, 3.0


class Health(BaseModel):
    """Whether the service can do its work, and what stops it."""

    status: Literal["ok", "unavailable"]
    failing: list[str] = []


def set_readiness_checks(
    app: FastAPI,
    checks: Mapping[str, Check],
    optional: Iterable[str] = (),
    seconds: float = PART_SECONDS,
) -> None:
    """Name the parts the service leans on; a check raises when its part is down.

    One that does not answer within `seconds` is down. One that is `optional` is named when it is
    down, but the service stays ready without it.
    """
    app.state.readiness_checks = {name: _in_time(each, seconds) for name, each in checks.items()}
    app.state.optional_parts = frozenset(optional)


@router.head("/healthz")
@router.get("/healthz")
async def get_health() -> Health:
    """Tell that the process is alive."""
    return Health(status="ok")


@router.head("/readyz")
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


def _in_time(check: Check, seconds: float) -> Check:
    async def check_in_time() -> None:
        async with asyncio.timeout(seconds):
            await check()

    return check_in_time


async def _passes(check: Check) -> bool:
    try:
        await check()
    except Exception:  # noqa: BLE001 - whatever a dependency raises, it is down
        return False
    return True
