"""What verdicts rest on."""

from pydantic import BaseModel, Field


class Trust(BaseModel):
    """What verdicts rest on."""

    version: str = Field(description="A fingerprint of keys, secrets and settings; opaque.")
