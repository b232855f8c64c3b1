"""Who is at the other end, as far as it can be believed."""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TypeAlias

from starlette.types import Scope

Network: TypeAlias = IPv4Network | IPv6Network

# What one client is given, as a rule.
_IPV6_CLIENT_BITS = 64


def client_address(scope: Scope, trusted: Sequence[Network]) -> str | None:
    """Return the peer's address, or the one for which a chain of trusted proxies vouches.

    Each proxy adds the address of whom it serves at the end of `X-Forwarded-For`; what stands
    before the last one that is not trusted, the client itself may have written.
    """
    peer = scope.get("client")
    if not peer:
        return None
    address: str = peer[0]
    if not trusted:
        return address
    for hop in _hops_backwards(scope["headers"]):
        if not _is_trusted(address, trusted) or not (claimed := _parsed(hop)):
            break
        address = str(claimed)
    return address


def neighbourhood(address: str | None) -> str:
    """Return whom an address stands for: itself, or with IPv6 the /64 that one client is given."""
    parsed = _parsed(address or "")
    if isinstance(parsed, IPv6Address):
        return str(IPv6Network((parsed, _IPV6_CLIENT_BITS), strict=False))
    return str(parsed or address)


def _hops_backwards(headers: Sequence[tuple[bytes, bytes]]) -> Iterator[str]:
    for name, value in reversed(headers):
        if name == b"x-forwarded-for":
            for hop in reversed(value.split(b",")):
                yield hop.strip().decode("latin-1")


def _is_trusted(address: str, trusted: Sequence[Network]) -> bool:
    parsed = _parsed(address)
    return parsed is not None and any(parsed in network for network in trusted)


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
