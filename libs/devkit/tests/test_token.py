import os
import subprocess
import sys
from pathlib import Path

import jwt
import pytest

from devkit.development_secrets import load_secrets
from devkit.errors import DevkitError
from devkit.token import make_token, token_from

SECRET = "s" * 32


def _claims(token: str, secret: str = SECRET) -> dict[str, object]:
    claims: dict[str, object] = jwt.decode(token, secret, algorithms=["HS256"])
    return claims


def _environment(tmp_path: Path, **variables: str) -> dict[str, str]:
    return {"DATA_DIR": str(tmp_path), "BETTER_AUTH_SECRET": SECRET, **variables}


@pytest.mark.spec("RUN-9")
def test_a_token_names_the_user_and_lasts_a_day(tmp_path: Path) -> None:
    claims = _claims(token_from(_environment(tmp_path, USER_ID="alice")))

    assert set(claims) == {"sub", "iat", "exp"}
    assert claims["sub"] == "alice"
    assert claims["exp"] == int(str(claims["iat"])) + 86_400


def test_expires_in_sets_the_lifetime_in_seconds(tmp_path: Path) -> None:
    claims = _claims(token_from(_environment(tmp_path, USER_ID="alice", EXPIRES_IN="60")))

    assert claims["exp"] == int(str(claims["iat"])) + 60


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, "USER_ID=alice"),
        ({"USER_ID": ""}, "USER_ID=alice"),
        ({"USER_ID": "  "}, "USER_ID=alice"),
        ({"USER_ID": "a" * 256}, "at most 255"),
        ({"USER_ID": "a\nb"}, "printable"),
        ({"USER_ID": "alice", "EXPIRES_IN": "1h"}, "EXPIRES_IN"),
        ({"USER_ID": "alice", "EXPIRES_IN": "0"}, "EXPIRES_IN"),
        ({"USER_ID": "alice", "BETTER_AUTH_SECRET": "short"}, "BETTER_AUTH_SECRET"),
    ],
)
def test_an_unusable_value_is_refused(
    tmp_path: Path, variables: dict[str, str], message: str
) -> None:
    with pytest.raises(DevkitError, match=message):
        token_from(_environment(tmp_path, **variables))


@pytest.mark.spec("RUN-9")
def test_without_a_secret_the_kept_one_signs_as_a_run_would(tmp_path: Path) -> None:
    environment = {"DATA_DIR": str(tmp_path), "USER_ID": "alice"}

    token = token_from(environment)

    kept = load_secrets(tmp_path, {})["BETTER_AUTH_SECRET"]
    assert _claims(token, kept)["sub"] == "alice"


def test_the_first_of_two_secrets_signs(tmp_path: Path) -> None:
    secrets = f"{SECRET},{'o' * 32}"

    token = token_from(_environment(tmp_path, USER_ID="alice", BETTER_AUTH_SECRET=secrets))

    assert _claims(token)["sub"] == "alice"


def test_a_claim_may_be_added_or_left_out() -> None:
    claims = _claims(make_token(SECRET, "alice", aud=None, iat=None, role="admin"))

    assert set(claims) == {"sub", "exp", "role"}


@pytest.mark.spec("RUN-9")
def test_the_command_prints_the_token_alone(tmp_path: Path) -> None:
    done = _run(_environment(tmp_path, USER_ID="alice"))

    assert done.returncode == 0
    assert _claims(done.stdout.removesuffix("\n"))["sub"] == "alice"
    assert done.stderr == ""


def test_the_command_without_a_user_says_so_in_one_line(tmp_path: Path) -> None:
    done = _run(_environment(tmp_path))

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == "taskgate: Say whose token: make token USER_ID=alice\n"


def _run(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "devkit.token"],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=False,
    )
