"""Who may issue tokens, and on what terms."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from auth_verifier.algorithms import PUBLIC_KEY, SHARED_SECRET
from auth_verifier.jwks import RemoteKeys
from auth_verifier.settings import Settings
from service_kit.settings import secret_bytes

_LEEWAY_SECONDS = 30
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Issuer:
    """One issuer and its terms; times in seconds, `issuers` are the accepted `iss`.

    A user belongs to `name`: it stays when the issuer's address changes.
    """

    name: str
    issuers: frozenset[str]
    audiences: frozenset[str]
    algorithms: frozenset[str]
    secrets: tuple[bytes, ...] = field(repr=False)
    keys: RemoteKeys | None
    max_lifetime: int
    leeway: int = _LEEWAY_SECONDS


def better_auth(settings: Settings, keys: RemoteKeys | None) -> Issuer:
    """Return the issuer that the environment describes; `keys` are those of `jwks_url`."""
    origin = {origin_of(settings.better_auth_url)} if settings.better_auth_url else set()
    secrets = tuple(secret_bytes(settings.better_auth_secret))
    return Issuer(
        name="better-auth",
        issuers=frozenset(settings.better_auth_issuers or origin),
        audiences=frozenset(settings.better_auth_audiences or origin),
        algorithms=(SHARED_SECRET if secrets else frozenset())
        | (PUBLIC_KEY if keys else frozenset()),
        secrets=secrets,
        keys=keys,
        max_lifetime=settings.auth_max_token_lifetime,
    )


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
