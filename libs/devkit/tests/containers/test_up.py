import jwt
import pytest

from devkit.containers import up
from devkit.containers.up import gateway_url, make_token


def test_the_token_is_for_its_user_and_for_a_day() -> None:
    secret, older = "s" * 32, "t" * 32

    token = make_token(f"{secret},{older}", "alice")

    claims = jwt.decode(token, secret, algorithms=["HS256"])
    assert claims["sub"] == "alice"
    assert claims["exp"] - claims["iat"] == 24 * 60 * 60


@pytest.mark.parametrize(
    ("published", "url"),
    [
        ("127.0.0.1:8080", "http://localhost:8080"),
        ("0.0.0.0:80", "http://localhost:80"),
        ("192.0.2.7:8080", "http://192.0.2.7:8080"),
    ],
)
def test_the_url_is_one_this_machine_reaches(
    monkeypatch: pytest.MonkeyPatch, published: str, url: str
) -> None:
    monkeypatch.setattr(up, "ask", lambda *_arguments: published)

    assert gateway_url() == url
