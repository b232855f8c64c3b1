"""The issuers file: what it may say, and which mistakes in it stop the start."""

from collections.abc import Callable
from pathlib import Path

import pytest

from auth_verifier.main import create_app
from auth_verifier.settings import Settings

SECRET = "s" * 32
ALPHA = '[alpha]\niss = ["https://alpha.example"]\n'
JWKS = 'jwks_url = "http://127.0.0.1:9/jwks"\n'
GOOD = ALPHA + JWKS
BY_SECRET = ALPHA + 'secrets_env = "ALPHA_SECRET"\n'
LONGEST = "a" * 32


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that the environment names."""
    path = tmp_path / "issuers.toml"
    monkeypatch.setenv("AUTH_ISSUERS_FILE", str(path))
    return path


@pytest.fixture
def refusal(path: Path) -> Callable[[str | bytes], str]:
    """Start with this text as the file, and return what is said after its name."""

    def refuse(text: str | bytes) -> str:
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        with pytest.raises(SystemExit) as stopped:
            create_app()
        line = str(stopped.value.code)
        assert "\n" not in line
        assert SECRET not in line
        start = f"auth-verifier: refusing to start: AUTH_ISSUERS_FILE {path}: "
        assert line.startswith(start)
        return line.removeprefix(start)

    return refuse


MISTAKES: list[tuple[str | bytes, str]] = [
    ("", "names no issuer"),
    ("# nothing", "names no issuer"),
    ("[alpha", "is not TOML: "),
    (GOOD + GOOD, "is not TOML: "),
    (b"\xff", "is not TOML: "),
    ('iss = ["https://alpha.example"]', "[iss]: is no table"),
    (f"[[alpha]]\n{JWKS}", "[alpha]: is no table"),
    (GOOD.replace("alpha]", "Alpha]"), "[Alpha]: a name is 1 to 32 of"),
    (GOOD.replace("alpha]", "a_b]"), "[a_b]: a name is"),
    (GOOD.replace("alpha]", '"a:b"]'), '["a:b"]: a name is'),
    (GOOD.replace("alpha]", '"a\\nb"]'), '["a\\nb"]: a name is'),
    (GOOD.replace("alpha]", '"a\\n"]'), '["a\\n"]: a name is'),
    (GOOD.replace("alpha]", '""]'), '[""]: a name is'),
    (GOOD.replace("alpha]", f"{LONGEST}a]"), f"[{LONGEST}a]: a name is"),
    (GOOD.replace("alpha]", "better-auth]"), "[better-auth]: this name is taken"),
    (GOOD + 'audience = "tasks"', "[alpha] audience: "),
    (GOOD + '"a\\nb" = 1', '[alpha] "a\\nb": '),
    (f'[alpha]\nsecret = "{SECRET}"', "[alpha] iss: "),
    (ALPHA + f'secret = "{SECRET}"', "[alpha] secret: "),
    ("[alpha]\n" + JWKS, "[alpha] iss: "),
    ("[alpha]\niss = []\n" + JWKS, "[alpha] iss: "),
    ('[alpha]\niss = [""]\n' + JWKS, "[alpha] iss: "),
    ('[alpha]\niss = "https://alpha.example"\n' + JWKS, "[alpha] iss: "),
    (ALPHA, "[alpha] jwks_url or secrets_env: one of them is needed"),
    (ALPHA + 'jwks_url = "alpha.example"', "[alpha] jwks_url: must be a URL"),
    (ALPHA + 'jwks_url = ""', "[alpha] jwks_url: must be a URL"),
    (ALPHA + 'jwks_url = "https://me:pw@alpha.example"', "[alpha] jwks_url: must be a URL"),
    (GOOD + 'algorithms = ["HS256"]', "[alpha] algorithms: HS256 needs secrets_env"),
    (GOOD + 'algorithms = ["none"]', "[alpha] algorithms: "),
    (GOOD + "algorithms = []", "[alpha] algorithms: "),
    (GOOD + 'audiences = "all"', "[alpha] audiences: "),
    (GOOD + "audiences = []", "[alpha] audiences: "),
    (GOOD + "audiences = [1]", "[alpha] audiences: "),
    (GOOD + "authorized_parties = []", "[alpha] authorized_parties: "),
    (GOOD + "leeway = 31", "[alpha] leeway: "),
    (GOOD + "leeway = -1", "[alpha] leeway: "),
    (GOOD + 'leeway = "5"', "[alpha] leeway: "),
    (GOOD + "leeway = true", "[alpha] leeway: "),
    (GOOD + "max_token_lifetime = 0", "[alpha] max_token_lifetime: "),
    (GOOD + "max_token_lifetime = 1.5", "[alpha] max_token_lifetime: "),
    (GOOD + GOOD.replace("alpha]", "beta]"), '[beta] iss: "https://alpha.example" is already'),
    ('[alpha]\niss = ["x", "x"]\n' + JWKS, '[alpha] iss: "x" is already listed for alpha'),
    (ALPHA + f'secrets_env = "{SECRET}"', "[alpha] secrets_env: "),
    (BY_SECRET, "[alpha] secrets_env: ALPHA_SECRET is not set"),
    (BY_SECRET + 'algorithms = ["RS256"]', "[alpha] algorithms: "),
]


@pytest.mark.spec("AUTH-26")
@pytest.mark.parametrize(("text", "naming"), MISTAKES)
def test_a_mistake_in_the_file_stops_the_start_with_one_line_that_names_it(
    refusal: Callable[[str | bytes], str], text: str | bytes, naming: str
) -> None:
    assert refusal(text).startswith(naming)


@pytest.mark.spec("AUTH-26")
@pytest.mark.parametrize("value", ["", "s" * 31, f" {SECRET}", f"{SECRET}\n", f'"{SECRET}"'])
def test_a_bad_secret_stops_the_start_and_does_not_show(
    refusal: Callable[[str | bytes], str], monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("ALPHA_SECRET", value)

    line = refusal(BY_SECRET)

    assert line.startswith("[alpha] secrets_env: ALPHA_SECRET")
    assert "ssss" not in line


@pytest.mark.spec("AUTH-26")
@pytest.mark.parametrize("given", [{"URL": "https://alpha.example/api/auth"}, {"SECRET": SECRET}])
def test_an_iss_of_better_auth_belongs_to_it_alone(
    refusal: Callable[[str | bytes], str], monkeypatch: pytest.MonkeyPatch, given: dict[str, str]
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(f"BETTER_AUTH_{name}", value)
    if "URL" not in given:
        monkeypatch.setenv("BETTER_AUTH_ISSUERS", "https://other.example,https://alpha.example")

    assert refusal(GOOD).endswith('"https://alpha.example" is already listed for better-auth.')


@pytest.mark.spec("AUTH-26")
@pytest.mark.parametrize("what", ["missing", "a folder"])
def test_a_file_that_cannot_be_read_stops_the_start(path: Path, what: str) -> None:
    if what == "a folder":
        path.mkdir()

    with pytest.raises(SystemExit) as stopped:
        create_app()

    assert f"AUTH_ISSUERS_FILE {path}: cannot be read: " in str(stopped.value.code)


@pytest.mark.spec("AUTH-25")
@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        GOOD.replace("alpha]", f"{LONGEST}]"),
        GOOD.replace("alpha]", "0-a]"),
        BY_SECRET,
        BY_SECRET + JWKS + 'algorithms = ["HS256", "Ed25519", "PS512"]',
        GOOD
        + 'audiences = "any"\nauthorized_parties = ["web"]\nleeway = 0\nmax_token_lifetime = 1',
        GOOD + '[beta]\niss = ["https://beta.example"]\n' + JWKS,
    ],
)
def test_the_file_alone_is_enough_to_start(
    path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("ALPHA_SECRET", SECRET)
    path.write_text(text)

    assert create_app().title == "Taskgate auth-verifier"
