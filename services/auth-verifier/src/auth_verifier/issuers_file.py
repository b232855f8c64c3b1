"""The file of further issuers (`AUTH_ISSUERS_FILE`), read and checked before the start."""

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from auth_verifier.algorithms import PUBLIC_KEY, SHARED_SECRET, canonical
from auth_verifier.settings import Url
from service_kit.settings import Secrets, secret_bytes

_NAME = re.compile(r"[a-z0-9-]{1,32}")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SECRETS = TypeAdapter(Secrets)

_Text = Annotated[str, Field(min_length=1)]
_Texts = Annotated[list[_Text], Field(min_length=1)]
_Algorithm = Annotated[str, AfterValidator(canonical)]


class IssuersFileError(Exception):
    """The file is not one to start with; the message is one line without any secret."""


class IssuerEntry(BaseModel):
    """One table of the file; times in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    iss: _Texts
    jwks_url: Url | None = None
    # In capitals, so that a secret pasted here is refused before it is looked up.
    secrets_env: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")] | None = None
    algorithms: Annotated[list[_Algorithm], Field(min_length=1)] | None = None
    audiences: _Texts | Literal["any"] | None = None
    authorized_parties: _Texts | None = None
    # The gateway checks `nbf` again, and allows 30 s.
    leeway: int = Field(default=30, ge=0, le=30)
    max_token_lifetime: int | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _check_keys(self) -> Self:
        possible = self.possible_algorithms()
        if not possible:
            raise ValueError("jwks_url or secrets_env: one of them is needed.")
        if self.algorithms and not possible.issuperset(self.algorithms):
            raise ValueError(
                "algorithms: HS256 needs secrets_env, and the others, which need jwks_url, are "
                f"{', '.join(sorted(PUBLIC_KEY))}."
            )
        return self

    def possible_algorithms(self) -> frozenset[str]:
        """Return what tokens can be signed with, given where the keys come from."""
        return (PUBLIC_KEY if self.jwks_url else frozenset()) | (
            SHARED_SECRET if self.secrets_env else frozenset()
        )


@dataclass(frozen=True, slots=True)
class FurtherIssuer:
    """An entry with its name, and with its secrets, which the environment alone holds."""

    name: str
    entry: IssuerEntry
    secrets: tuple[bytes, ...] = field(repr=False)


def read_issuers_file(
    path: Path, *, environment: Mapping[str, str], taken: Mapping[str, Iterable[str]]
) -> list[FurtherIssuer]:
    """Read the file; `taken` holds the `iss` of issuers known already, by their names.

    Raises `IssuersFileError`, naming file, issuer and key.
    """
    tables = _read_tables(path)
    entries = {name: _read_entry(path, name, table, taken) for name, table in tables.items()}
    _check_unique(path, entries, taken)
    return [
        FurtherIssuer(name, entry, _read_secrets(_at(path, name), entry.secrets_env, environment))
        for name, entry in entries.items()
    ]


def _read_tables(path: Path) -> dict[str, Any]:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise IssuersFileError(f"{_file(path)}: cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise IssuersFileError(f"{_file(path)}: is not TOML: {error}.") from None
    if not tables:
        raise IssuersFileError(f"{_file(path)}: names no issuer; begin one as in [clerk].")
    return tables


def _read_entry(
    path: Path, name: str, table: object, taken: Mapping[str, Iterable[str]]
) -> IssuerEntry:
    where = _at(path, name)
    if not isinstance(table, dict):
        raise IssuersFileError(f"{where}: is no table; keys stand below the [name] of an issuer.")
    if not _NAME.fullmatch(name):
        raise IssuersFileError(f"{where}: a name is 1 to 32 of a-z, 0-9 and -.")
    if name in taken:
        raise IssuersFileError(f"{where}: this name is taken; choose another.")
    try:
        return IssuerEntry.model_validate(table)
    except ValidationError as error:
        raise IssuersFileError(f"{where} {_reason(error)}") from None


def _read_secrets(
    where: str, variable: str | None, environment: Mapping[str, str]
) -> tuple[bytes, ...]:
    if not variable:
        return ()
    text = environment.get(variable)
    if not text:
        raise IssuersFileError(f"{where} secrets_env: {variable} is not set in the environment.")
    try:
        return tuple(secret_bytes(_SECRETS.validate_python(text)))
    except ValidationError as error:
        raise IssuersFileError(f"{where} secrets_env: {variable}: {_reason(error)}") from None


def _check_unique(
    path: Path, entries: Mapping[str, IssuerEntry], taken: Mapping[str, Iterable[str]]
) -> None:
    owners = {iss: name for name, names in taken.items() for iss in names}
    for name, entry in entries.items():
        for iss in entry.iss:
            if iss in owners:
                raise IssuersFileError(
                    f"{_at(path, name)} iss: {json.dumps(iss)} is already listed for {owners[iss]}."
                )
            owners[iss] = name


def _file(path: Path) -> str:
    return f"AUTH_ISSUERS_FILE {path}"


def _at(path: Path, name: str) -> str:
    return f"{_file(path)}: [{_key(name)}]"


def _key(name: str) -> str:
    # Quoted, as in TOML, if it is no bare key: so that no name breaks the line.
    return name if _BARE_KEY.fullmatch(name) else json.dumps(name)


def _reason(error: ValidationError) -> str:
    item = error.errors()[0]
    message = str(item["msg"]).removeprefix("Value error, ")
    return f"{_key(str(item['loc'][0]))}: {message}" if item["loc"] else message
