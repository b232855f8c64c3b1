"""The fields a task is written with, each with its rule."""

from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field, StringConstraints

# Files beside the zones: what they say is up to the machine.
_NO_ZONES = {"localtime", "Factory"}
# Read once at import: it lists a folder, which no request should wait for.
_TIME_ZONES = frozenset(available_timezones() - _NO_ZONES)


def _unique(tags: list[str]) -> list[str]:
    first_spellings: dict[str, str] = {}
    for tag in tags:
        first_spellings.setdefault(tag.casefold(), tag)
    return list(first_spellings.values())


def is_time_zone(name: str) -> bool:
    """Tell whether this is the IANA name of a time zone."""
    return name in _TIME_ZONES


def _known_zone(name: str) -> str:
    if not is_time_zone(name):
        raise ValueError("should be an IANA time zone, like Europe/Berlin")
    return name


Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Description = Annotated[str, StringConstraints(max_length=10_000)]
Tag = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=50)]
Tags = Annotated[list[Tag], Field(max_length=20), AfterValidator(_unique)]
TimeZone = Annotated[str, AfterValidator(_known_zone)]
