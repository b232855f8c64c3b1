"""What the verifier has said about a token."""

from dataclasses import dataclass

from pydantic import TypeAdapter

from gateway_service.errors import Cause, TokenExpiredError, TokenInvalidError

# The verifier's own tolerance for the clock of the issuer.
_LEEWAY_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verifier's word on a good token; times are Unix seconds.

    `token_key` is what a revocation knows the token by; `token_ends_at` and `user_tokens_end_at`
    say how long one of it, or of all its user's tokens, must be kept. The verdict may be used
    from `verified_at` to `stale_at`, as long as the verifier's trust is at `trust_version`.
    """

    user_id: str
    issuer: str
    expires_at: int
    not_before: int | None
    issued_at: int | None
    token_key: str
    token_ends_at: int
    user_tokens_end_at: int
    trust_version: str
    verified_at: float
    stale_at: float

    def check_times(self, now: float) -> None:
        """Raise `TokenExpiredError` or `TokenInvalidError` if the token is not good at `now`."""
        if self.expires_at <= now:
            raise TokenExpiredError(
                "The token has expired: get a new one where users sign in.",
                Cause("expired", self.issuer),
            )
        if self.not_before is not None and self.not_before > now + _LEEWAY_SECONDS:
            raise TokenInvalidError(
                "The token is not valid yet: its `nbf` lies in the future.",
                Cause("not_yet_valid", self.issuer),
            )


VERDICTS = TypeAdapter(Verdict)
