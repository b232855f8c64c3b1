"""Whether the gateway can do its work, and which parts behind it are down."""

from fastapi import APIRouter, Request, Response

from service_kit import health
from service_kit.health import Health

REDIS = "redis"

router = APIRouter(tags=["health"])


@router.get("/readyz")
async def get_readiness(request: Request, response: Response) -> Health:
    """Name each part that is down; Redis is named, but the gateway works without it."""
    found = await health.get_readiness(request, response)
    if found.failing == [REDIS]:
        # Unready replicas get no requests: slower would become an outage.
        response.status_code = 200
        return Health(status="ok", failing=[REDIS])
    return found
