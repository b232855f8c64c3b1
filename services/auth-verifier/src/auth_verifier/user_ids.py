"""Whose a token is: which strings name a user, and of which issuer."""

import unicodedata
from typing import Any, TypeGuard

from auth_verifier.errors import TokenInvalidError
from auth_verifier.issuers import Issuer

_MAX_ID_LENGTH = 255
_NAMES_OF_NOBODY = {"null", "undefined"}
# Control characters, and halves of surrogate pairs: no UTF-8 can carry those.
_FORBIDDEN_CATEGORIES = {"Cc", "Cs"}


def is_id(value: Any) -> TypeGuard[str]:  # noqa: ANN401 - a claim can be anything.
    """Tell whether a claim is a string of 1 to 255 characters without control characters."""
    return (
        isinstance(value, str)
        and 1 <= len(value) <= _MAX_ID_LENGTH
        and not any(unicodedata.category(char) in _FORBIDDEN_CATEGORIES for char in value)
    )


def names_a_user(value: Any) -> TypeGuard[str]:  # noqa: ANN401 - as above.
    """Tell whether a claim is an id that somebody can have."""
    return is_id(value) and bool(value.strip()) and value not in _NAMES_OF_NOBODY


def user_id_of(subject: str, issuer: Issuer) -> str:
    """Return the id of the issuer's user among the users of all issuers.

    Raises `TokenInvalidError` if it is too long, or would be that of another issuer's user.
    """
    if subject.startswith(issuer.foreign_prefixes):
        raise TokenInvalidError(
            "subject",
            "The token's `sub` begins with the name of an issuer in AUTH_ISSUERS_FILE and a colon, "
            "as only that issuer's user ids may: rename the issuer there.",
        )
    if len(issuer.user_prefix + subject) > _MAX_ID_LENGTH:
        raise TokenInvalidError(
            "subject",
            f"The token's `sub` is too long: `{issuer.user_prefix}` goes before it, and both "
            f"together may have {_MAX_ID_LENGTH} characters.",
        )
    return issuer.user_prefix + subject
