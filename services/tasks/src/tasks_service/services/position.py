"""Positions: text that sorts bytewise, with room for another one between any two.

A position is a fixed-point number in hexadecimal: ten digits before the point, and behind it as
many as it takes, never ending in 0, so that the order of the numbers is that of their bytes.
"""

from collections.abc import Iterator

_DIGITS = 10
_MIDDLE = 1 << 39
# A gap halved over and over needs a digit more every fourth time; longer ones are spread anew.
_LONGEST = 128


def last_position(version: int) -> str:
    """Return the position behind all others of a user whose newest version this is.

    A write moves the end by one at most and takes a version, so no position is beyond it.
    """
    return _whole(_MIDDLE + version)


def version_behind(position: str) -> int:
    """Return a version whose last position is behind this one, and those of all that follow."""
    return max(_before_point(position) - _MIDDLE + 1, 0)


def position_before(first: str) -> str:
    """Return a position before the first one."""
    return _whole(_before_point(first) - 1)


def position_between(low: str, high: str) -> str | None:
    """Return the shortest position between two, or None if they are equal or it is too long."""
    if low >= high:
        return None
    for digits in range(_DIGITS, _LONGEST + 1):
        floor, ceiling = _scaled(low, digits), -_scaled_negative(high, digits)
        if ceiling - floor > 1:
            return _trimmed(f"{(floor + ceiling) // 2:0{digits}x}")
    return None


def crowd(position: str) -> tuple[str, str]:
    """Return the range of positions, the second exclusive, that are spread anew together."""
    return position[:_DIGITS], _whole(_before_point(position) + 1)


def spread(position: str, count: int) -> Iterator[str]:
    """Yield so many positions, evenly spread over the crowd of this one, in order."""
    digits = len(f"{count:x}") + 1
    step = 16**digits // (count + 1)
    for number in range(1, count + 1):
        yield _trimmed(f"{position[:_DIGITS]}{number * step:0{digits}x}")


def _before_point(position: str) -> int:
    return int(position[:_DIGITS], 16)


def _whole(number: int) -> str:
    return f"{number:0{_DIGITS}x}"


def _scaled(position: str, digits: int) -> int:
    return int(position[:digits].ljust(digits, "0"), 16)


def _scaled_negative(position: str, digits: int) -> int:
    # Cut off, a position is rounded down; the upper end has to be rounded up.
    return -_scaled(position, digits) - (len(position) > digits)


def _trimmed(position: str) -> str:
    return position[:_DIGITS] + position[_DIGITS:].rstrip("0")
