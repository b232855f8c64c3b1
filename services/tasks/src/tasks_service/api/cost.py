"""What a request costs, for the gateway's limits."""

from collections.abc import Iterator
from contextlib import contextmanager

from service_kit.cost import HEADER
from service_kit.errors import ServiceError


@contextmanager
def costing(requests: int) -> Iterator[dict[str, str]]:
    """Give the headers that tell the cost; a failure within the block tells it too."""
    cost = {HEADER: str(requests)}
    try:
        yield cost
    except ServiceError as error:
        error.headers |= cost
        raise
