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


@pytest.mark.spec("GW-3")
@pytest.mark.parametrize(
    ("user", "identity"),
    [
        (None, signed()[1]),
        ("alice", None),
        ("", ""),
        ("bob", signed()[1]),
        ("alice", signed(audience="other")[1]),
        ("alice", signed(key=b"another key")[1]),
        ("alice", signed(expires_at=NOW)[1]),
        ("alice", "v1." + signed()[1].partition(".")[2].replace(str(NOW + 60), str(NOW + 61))),
        ("alice", "v2" + signed()[1][2:]),
        ("alice", "v1.²." + signed()[1].rpartition(".")[2]),
        ("alice", "v1.-1.x"),
        ("alice", "v1"),
        ("alice", signed()[1] + "="),
        ("alice", signed()[1] + "é"),
    ],
)
def test_an_identity_not_signed_for_us_is_refused(user: str | None, identity: str | None) -> None:
    with pytest.raises(InvalidIdentityError):
        verify_identity(user, identity, keys=[KEY], audience="tasks", now=NOW)


@pytest.mark.spec("GW-3")
def test_an_older_key_is_still_accepted_while_it_is_listed() -> None:
    user, identity = signed()

    keys = [secrets.token_bytes(32), KEY]

    assert verify_identity(user, identity, keys=keys, audience="tasks", now=NOW) == "alice"
