"""What leads to some of a user's tasks sooner: an index of them, or trying one after the other.

PostgreSQL cannot choose by itself: its statistics know all users, not this one.
"""


def met_soon(found: int, tried: int, matches: float, wanted: int) -> bool:
    """Tell whether so many of some tasks are met sooner on the way through all than by an index.

    They are `found` of those tried on the way, and `matches` in all.
    """
    # wanted / (found / tried) are passed on the way; the index leads to every one there is,
    # wherever they are in the order.
    return found * matches >= wanted * tried > 0
