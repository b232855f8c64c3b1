"""Who may issue tokens, and on what terms."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from auth_verifier.algorithms import PUBLIC_KEY, SHARED_SECRET
from auth_verifier.errors import TokenInvalidError
from auth_verifier.issuers_file import FurtherIssuer
from auth_verifier.jwks import RemoteKeys
from auth_verifier.settings import Settings
from service_kit.settings import secret_bytes

BETTER_AUTH = "better-auth"

_LEEWAY_SECONDS = 30
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Terms:
    """Where an issuer is configured, as a refusal tells it to whoever can change it."""

    issuers: str
    audiences: str
    jwks: str
    secrets: str
    lifetime: str


_BETTER_AUTH_TERMS = Terms(
    issuers="the origin of BETTER_AUTH_URL or one of BETTER_AUTH_ISSUERS",
    audiences="the origin of BETTER_AUTH_URL or one of BETTER_AUTH_AUDIENCES",
    jwks="BETTER_AUTH_URL",
    secrets="BETTER_AUTH_SECRET",
    lifetime="AUTH_MAX_TOKEN_LIFETIME",
)


@dataclass(frozen=True, slots=True)
class Issuer:
    """One issuer and its terms; times in seconds, `issuers` are the accepted `iss`.

    A user belongs to `name`: it stays when the issuer's address changes. `audiences` are not
    looked at if `None`, and `authorized_parties` if empty. User ids begin with `user_prefix` and
    never with one of `foreign_prefixes`, which are those of other issuers.
    """

    name: str
    terms: Terms
    issuers: frozenset[str]
    audiences: frozenset[str] | None
    algorithms: frozenset[str]
    secrets: tuple[bytes, ...] = field(repr=False)
    keys: RemoteKeys | None
    max_lifetime: int
    leeway: int = _LEEWAY_SECONDS
    authorized_parties: frozenset[str] = frozenset()
    secret_vouches: bool = False
    """Tokens signed with the secret may lack `iss` and `aud`."""
    user_prefix: str = ""
    foreign_prefixes: tuple[str, ...] = ()
    has_sessions: bool = False
    """Its session cookies are accepted; `cookie_issuers` are what their `iss` may be besides."""
    cookie_issuers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Issuers:
    """Better Auth, if it is configured, and the issuers of the file by each of their `iss`."""

    first: Issuer | None
    others: Mapping[str, Issuer]

    def everyone(self) -> list[Issuer]:
        """Return each issuer once, Better Auth first."""
        others = {issuer.name: issuer for issuer in self.others.values()}
        return [*([self.first] if self.first else []), *others.values()]

    def issuer_of(self, claims: Mapping[str, Any]) -> Issuer:
        """Return whose rules the claims, as yet unverified, have to meet.

        Raises `TokenInvalidError` if they are nobody's.
        """
        iss = claims.get("iss")
        issuer = self.others.get(iss) if isinstance(iss, str) else None
        chosen = issuer or self.first
        if chosen is None:
            raise TokenInvalidError(
                "issuer",
                "The token's `iss` is missing or not an accepted one: it must be one of those in "
                "AUTH_ISSUERS_FILE.",
            )
        return chosen


def choose_from(first: Issuer | None, others: list[Issuer]) -> Issuers:
    """Return the issuers together: no user of the first passes for one of the others."""
    if first:
        first = replace(first, foreign_prefixes=tuple(issuer.user_prefix for issuer in others))
    return Issuers(first, {iss: issuer for issuer in others for iss in issuer.issuers})


def better_auth(settings: Settings, keys: RemoteKeys | None) -> Issuer:
    """Return the issuer that the environment describes; `keys` are those of `jwks_url`."""
    origin = _origin(settings)
    secrets = tuple(secret_bytes(settings.better_auth_secret))
    return Issuer(
        name=BETTER_AUTH,
        terms=_BETTER_AUTH_TERMS,
        issuers=better_auth_issuers(settings),
        audiences=frozenset(settings.better_auth_audiences or origin),
        algorithms=(SHARED_SECRET if secrets else frozenset())
        | (PUBLIC_KEY if keys else frozenset()),
        secrets=secrets,
        keys=keys,
        max_lifetime=settings.auth_max_token_lifetime,
        secret_vouches=True,
        has_sessions=True,
        cookie_issuers=_cookie_issuers(settings),
    )


def further_issuer(further: FurtherIssuer, keys: RemoteKeys | None, settings: Settings) -> Issuer:
    """Return an issuer of the file; `keys` are those of its `jwks_url`."""
    name, entry = further.name, further.entry
    audiences = entry.audiences or []
    return Issuer(
        name=name,
        terms=_terms_of(name),
        issuers=frozenset(entry.iss),
        audiences=None if audiences == "any" else frozenset(audiences),
        algorithms=frozenset(entry.algorithms or entry.possible_algorithms()),
        secrets=further.secrets,
        keys=keys,
        max_lifetime=entry.max_token_lifetime or settings.auth_max_token_lifetime,
        leeway=entry.leeway,
        authorized_parties=frozenset(entry.authorized_parties or []),
        user_prefix=f"{name}:",
    )


def _terms_of(name: str) -> Terms:
    where = f"of [{name}] in AUTH_ISSUERS_FILE"
    return Terms(
        issuers=f"one of `iss` {where}",
        audiences=f"one of `audiences` {where}",
        jwks=f"`jwks_url` {where}",
        secrets=f"`secrets_env` {where}",
        lifetime=f"`max_token_lifetime` {where}, or AUTH_MAX_TOKEN_LIFETIME,",
    )


def better_auth_issuers(settings: Settings) -> frozenset[str]:
    """Return the `iss` values that are Better Auth's."""
    return frozenset(settings.better_auth_issuers or _origin(settings))


def _cookie_issuers(settings: Settings) -> frozenset[str]:
    # What Better Auth was given as its baseURL, with a path and a closing slash if it has them.
    url = settings.better_auth_url
    return frozenset({url, url.rstrip("/")}) if url else frozenset()


def _origin(settings: Settings) -> set[str]:
    return {origin_of(settings.better_auth_url)} if settings.better_auth_url else set()


def jwks_url(settings: Settings) -> str | None:
    """Return where the issuer publishes its keys, if it does.

    Better Auth serves them under its base path, `/api/auth` unless its URL brings another.
    """
    if settings.better_auth_jwks_url or not settings.better_auth_url:
        return settings.better_auth_jwks_url
    base = settings.better_auth_url.rstrip("/")
    return f"{base}/jwks" if urlsplit(base).path else f"{base}/api/auth/jwks"


def origin_of(url: str) -> str:
    """Return scheme, host and port as browsers write an origin: lower case, no default port."""
    parts = urlsplit(url)
    host = parts.netloc.lower().removesuffix(f":{_DEFAULT_PORTS[parts.scheme]}")
    return f"{parts.scheme}://{host}"
