"""A token in, a verdict out."""

from pydantic import BaseModel, Field


class VerificationRequest(BaseModel):
    """The token to judge, without the word Bearer."""

    token: str


class Verification(BaseModel):
    """What a good token says; times are Unix seconds."""

    user_id: str = Field(
        description="The token's `sub`, after `<name>:` for the issuers of AUTH_ISSUERS_FILE."
    )
    issuer: str = Field(description="Our name of the issuer; user ids are unique within it.")
    expires_at: int
    not_before: int | None
    issued_at: int | None
    token_id: str | None = Field(description="The token's `jti`.")
    key_id: str | None = Field(description="The token's `kid`.")
