"""The entity tags of a conditional request (RFC 9110 §8.8.3 and §13.1)."""

import re
from dataclasses import dataclass
from typing import NamedTuple

_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_VERSION = re.compile(r'(?:W/)?"(\d{1,18})"', re.ASCII)
_LIST = re.compile(rf"[ \t]*{_TAG}(?:[ \t]*,[ \t]*{_TAG})*[ \t]*")


@dataclass(frozen=True)
class EntityTags:
    """What a condition names: `any_version` is `*`, `tags` are as they were written."""

    any_version: bool = False
    tags: frozenset[str] = frozenset()

    def match(self, version: int) -> bool:
        """Compare strongly, as If-Match does: a weak tag never matches."""
        return self.any_version or etag(version) in self.tags

    def match_weakly(self, version: int) -> bool:
        """Compare weakly, as If-None-Match does: `W/"1"` matches `"1"`."""
        return self.match(version) or f"W/{etag(version)}" in self.tags

    def newest(self) -> int | None:
        """Return the greatest version that is named, weakly or not."""
        return max(
            (int(found[1]) for tag in self.tags if (found := _VERSION.fullmatch(tag))), default=None
        )


class Preconditions(NamedTuple):
    """What If-Match and If-None-Match say; None is an absent header."""

    if_match: EntityTags | None
    if_none_match: EntityTags | None


def etag(version: int) -> str:
    """Return the strong entity tag of a version."""
    return f'"{version}"'


def parse_entity_tags(value: str) -> EntityTags:
    """Read the value of If-Match or If-None-Match. Raises `ValueError` if it is malformed."""
    if value.strip(" \t") == "*":
        return EntityTags(any_version=True)
    if not _LIST.fullmatch(value):
        raise ValueError('should be * or entity tags in quotes, like "3"')
    return EntityTags(tags=frozenset(re.findall(_TAG, value)))
