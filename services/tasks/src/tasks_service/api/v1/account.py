"""`/api/v1/account`."""

from fastapi import APIRouter, Depends

from service_kit.errors import ValidationFailedError, problem
from service_kit.identity import InvalidIdentityError
from tasks_service.dependencies.confirmation import require_confirmation
from tasks_service.dependencies.identity import CurrentUserId
from tasks_service.dependencies.resources import DatabaseSession
from tasks_service.dependencies.strict_route import StrictRoute
from tasks_service.errors import ConfirmationRequiredError, DatabaseUnavailableError
from tasks_service.services import account as account_service

router = APIRouter(
    prefix="/api/v1/account",
    tags=["data"],
    route_class=StrictRoute,
    responses=problem(InvalidIdentityError, DatabaseUnavailableError),
)


@router.delete(
    "",
    status_code=204,
    dependencies=[Depends(require_confirmation)],
    responses=problem(ConfirmationRequiredError, ValidationFailedError),
)
async def delete_account(user_id: CurrentUserId, session: DatabaseSession) -> None:
    """Remove everything the caller has, for good; the gateway then revokes all their tokens."""
    await account_service.delete_account(session, user_id)
