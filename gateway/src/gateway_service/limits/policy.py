"""What a limit is, and how a client is told of it (draft-ietf-httpapi-ratelimit-headers)."""

from dataclasses import dataclass
from typing import ClassVar

from gateway_service.upstream.request import Header
from service_kit.errors import ServiceError

WINDOW_SECONDS = 60
# What a process takes at once of a budget is this part of it, and so is the error it makes.
_SHARE = 50


@dataclass(frozen=True, slots=True)
class Policy:
    """A `quota` of requests in each minute; `whose` says in words whose it is."""

    name: str
    quota: int
    whose: str

    @property
    def slice(self) -> int:
        """How many requests a process may let pass before it asks the others."""
        return max(self.quota // _SHARE, 1)

    def header(self) -> Header:
        """Return what announces it."""
        text = f'"{self.name}";q={self.quota};w={WINDOW_SECONDS}'
        return b"ratelimit-policy", text.encode()


class RateLimitedError(ServiceError):
    """The client has used up what it may use in this minute."""

    status: ClassVar[int] = 429
    code: ClassVar[str] = "rate_limited"
    title: ClassVar[str] = "Rate limited"

    def __init__(self, policy: Policy, seconds: int) -> None:
        announced = policy.header()[1].decode()
        super().__init__(
            f"{policy.whose} may make {policy.quota} requests a minute, and these are used up: "
            f"try again in {seconds} s.",
            headers={
                "Retry-After": str(seconds),
                "RateLimit-Policy": announced,
                "RateLimit": f'"{policy.name}";r=0;t={seconds}',
            },
            extensions={"violated-policies": [policy.name]},
        )
