"""Whose address a refusal is logged with: never one that the client could make up."""

import json
from collections.abc import Callable
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest

from gateway_service.client_address import client_address

if TYPE_CHECKING:
    from gateway.tests.conftest import MakeGateway

CASES = [
    # trusted, peer, X-Forwarded-For (each a header), address
    ("", "203.0.113.9", [], "203.0.113.9"),
    ("", "203.0.113.9", ["198.51.100.1"], "203.0.113.9"),
    ("10.0.0.0/8", "203.0.113.9", ["198.51.100.1"], "203.0.113.9"),
    ("10.0.0.0/8", "10.0.0.1", [], "10.0.0.1"),
    ("10.0.0.0/8", "10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
    ("10.0.0.0/8", "10.0.0.1", ["1.2.3.4, 198.51.100.1"], "198.51.100.1"),
    ("10.0.0.0/8", "10.0.0.1", ["1.2.3.4, 198.51.100.1, 10.0.0.2"], "198.51.100.1"),
    ("10.0.0.0/8", "10.0.0.1", ["1.2.3.4", "198.51.100.1", "10.0.0.2"], "198.51.100.1"),
    ("10.0.0.0/8", "10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
    ("10.0.0.1", "10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.2"),
    ("10.0.0.0/8", "10.0.0.1", ["unknown"], "10.0.0.1"),
    ("10.0.0.0/8", "10.0.0.1", ["1.2.3.4, unknown, 10.0.0.2"], "10.0.0.2"),
    ("10.0.0.0/8", "10.0.0.1", ["<script>"], "10.0.0.1"),
    ("10.0.0.0/8", "10.0.0.1", [""], "10.0.0.1"),
    ("10.0.0.0/8", "10.0.0.1", ["198.51.100.1:4711"], "10.0.0.1"),
    ("10.0.0.0/8", "::ffff:10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
    ("2001:db8::/32", "2001:db8::1", ["2001:DB9::7"], "2001:db9::7"),
    ("127.0.0.1,10.0.0.0/8", "127.0.0.1", ["198.51.100.1, 10.1.1.1"], "198.51.100.1"),
]


@pytest.mark.spec("AUTH-50")
@pytest.mark.parametrize(("trusted", "peer", "headers", "address"), CASES)
def test_the_address_is_the_last_that_a_trusted_proxy_vouches_for(
    trusted: str, peer: str, headers: list[str], address: str
) -> None:
    networks = [ip_network(one) for one in trusted.split(",") if one]
    forwarded = [(b"x-forwarded-for", value.encode()) for value in headers]
    scope = {"type": "http", "client": (peer, 1), "headers": forwarded}

    assert client_address(scope, networks) == address


@pytest.mark.spec("AUTH-50")
def test_without_a_peer_there_is_no_address() -> None:
    assert client_address({"type": "http", "client": None, "headers": []}, []) is None


@pytest.mark.spec("AUTH-49", "AUTH-50")
@pytest.mark.parametrize(("trusted", "address"), [("", "127.0.0.1"), ("127.0.0.1", "198.51.100.1")])
async def test_a_refusal_is_logged_with_the_clients_address(
    log: Callable[[], str], make_gateway: "MakeGateway", trusted: str, address: str
) -> None:
    gateway = await make_gateway(**({"trusted_proxies": trusted} if trusted else {}))

    await gateway.get("/api/v1/me", headers={"X-Forwarded-For": "6.6.6.6, 198.51.100.1"})

    lines = [json.loads(line) for line in log().splitlines()]
    assert [line["client"] for line in lines if line["event"] == "token_refused"] == [address]
