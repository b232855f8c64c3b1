"""The header without which nothing is removed for good at one stroke."""

from typing import Annotated

from fastapi import Header

from tasks_service.errors import ConfirmationRequiredError

_WORD = "delete"


def require_confirmation(
    x_confirm: Annotated[
        str | None, Header(alias="X-Confirm", description=f"Must be `{_WORD}`.")
    ] = None,
) -> None:
    """Return if the caller means it. Raises `ConfirmationRequiredError`."""
    if x_confirm != _WORD:
        raise ConfirmationRequiredError
