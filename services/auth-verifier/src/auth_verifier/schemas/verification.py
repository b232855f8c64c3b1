"""A token in, a verdict out."""

from typing import Literal

from pydantic import BaseModel, Field

CredentialKind = Literal["bearer", "session_cookie"]


class VerificationRequest(BaseModel):
    """The token to judge, without the word Bearer, and how it came."""

    token: str
    kind: CredentialKind = "bearer"


class Verification(BaseModel):
    """What a good token says; times are Unix seconds."""

    user_id: str = Field(
        description="The token's `sub`, after `<name>:` for the issuers of AUTH_ISSUERS_FILE."
    )
    issuer: str = Field(description="Our name of the issuer; user ids are unique within it.")
    expires_at: int
    not_before: int | None
    issued_at: int | None = Field(description="Of a session cookie, when the session began.")
    key_id: str | None = Field(description="The token's `kid`.")
    token_key: str = Field(description="What a revocation knows the token by.")
    token_ends_at: int = Field(description="How long a revocation of it must be kept.")
    user_tokens_end_at: int = Field(
        description="How long a revocation of all its user's tokens must be kept."
    )
    trust_version: str = Field(description="What the verdict rests on; see `/internal/v1/trust`.")
