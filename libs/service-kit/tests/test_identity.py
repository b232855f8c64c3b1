import secrets

import pytest

from service_kit.identity import (
    IDENTITY_HEADER,
    USER_HEADER,
    InvalidIdentityError,
    sign_identity,
    verify_identity,
)

KEY = secrets.token_bytes(32)
NOW = 1_000


def signed(user_id: str = "alice", **changes: object) -> tuple[str, str]:
    arguments = {"key": KEY, "audience": "tasks", "expires_at": NOW + 60, **changes}
    headers = sign_identity(user_id, **arguments)  # type: ignore[arg-type]  # one table of changes
    return headers[USER_HEADER], headers[IDENTITY_HEADER]


@pytest.mark.spec("GW-2")
@pytest.mark.parametrize("user_id", ["alice", "auth0|1", "a\nb", "ü/€ %41", "v1.9"])
def test_a_signed_identity_yields_the_same_user_id(user_id: str) -> None:
    user, identity = signed(user_id)

    assert user.isascii()
    assert user.isprintable()
    assert verify_identity(user, identity, keys=[KEY], audience="tasks", now=NOW) == user_id


FORGERIES = {
    "no user": (None, signed()[1]),
    "no identity": ("alice", None),
    "nothing": ("", ""),
    "another user": ("bob", signed()[1]),
    "for another service": ("alice", signed(audience="other")[1]),
    "another key": ("alice", signed(key=b"another key")[1]),
    "expired": ("alice", signed(expires_at=NOW)[1]),
    "made to last": ("alice", signed()[1].replace(f".{NOW + 60}.", f".{NOW + 61}.")),
    "another version": ("alice", "v2" + signed()[1][2:]),
    "a digit for Python alone": ("alice", "v1.².signature"),
    "a negative time": ("alice", "v1.-1.x"),
    "the version alone": ("alice", "v1"),
    "padded": ("alice", signed()[1] + "="),
    "not ASCII": ("alice", signed()[1] + "é"),
}


@pytest.mark.spec("GW-3")
@pytest.mark.parametrize(("user", "identity"), FORGERIES.values(), ids=FORGERIES)
def test_an_identity_not_signed_for_us_is_refused(user: str | None, identity: str | None) -> None:
    with pytest.raises(InvalidIdentityError):
        verify_identity(user, identity, keys=[KEY], audience="tasks", now=NOW)


@pytest.mark.spec("GW-3")
def test_an_older_key_is_still_accepted_while_it_is_listed() -> None:
    user, identity = signed()

    keys = [secrets.token_bytes(32), KEY]

    assert verify_identity(user, identity, keys=keys, audience="tasks", now=NOW) == "alice"
