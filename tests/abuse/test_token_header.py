"""Headers that try to choose the key, or to change the rules (RFC 8725 §2.10 and §3.10)."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from devkit.forge import Forge, SigningKey, to_json

Check = Callable[..., Awaitable[None]]

KIDS: dict[str, Any] = {
    "traversal to nothing": "../../../../../../dev/null",
    "traversal, encoded": "..%2f..%2f..%2fdev%2fnull",
    "file URL": "file:///dev/null",
    "SQL union": "x' UNION SELECT '",
    "SQL comment": "key-EdDSA'--",
    "SQL sleep": "1'; SELECT pg_sleep(9)--",
    "shell": "key-EdDSA|/usr/bin/id",
    "template": "${jndi:ldap://127.0.0.1/a}",
    "NUL after": "key-EdDSA\0",
    "NUL alone": "\0",
    "line end": "key-EdDSA\r\nX-User-Id: root",
    "half a surrogate pair": "\ud800",
    "another case": "KEY-EDDSA",
    "white space": " key-EdDSA",
    "empty": "",
    "257 characters": "k" * 257,
    "a megabyte": "k" * 1024 * 1024,
    "null": None,
    "number": 1,
    "true": True,
    "list": ["key-EdDSA"],
    "object": {"key-EdDSA": "key-EdDSA"},
}
CRITS: dict[str, dict[str, Any]] = {
    "a known name": {"crit": ["exp"]},
    "an unknown name": {"crit": ["https://example.test/rule"], "https://example.test/rule": 1},
    "kid": {"crit": ["kid"]},
    "b64": {"crit": ["b64"], "b64": False},
    "b64 true": {"crit": ["b64"], "b64": True},
    "empty": {"crit": []},
    "null": {"crit": None},
    "text": {"crit": "exp"},
    "object": {"crit": {}},
}
POINTERS = ("jku", "x5u", "jwk", "x5c", "all")


@dataclass
class Trap:
    """A server with the attacker's keys that nobody may ever call."""

    key: SigningKey
    url: str = ""
    calls: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.calls.append(await reader.readline())
        body = to_json({"keys": [self.key.jwk()]})
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        writer.close()

    def headers(self, pointer: str) -> dict[str, Any]:
        pointers: dict[str, Any] = {
            "jku": f"{self.url}/jwks.json",
            "x5u": f"{self.url}/chain.pem",
            "jwk": self.key.jwk(),
            "x5c": [b64encode(_certificate(self.key.private)).decode()],
        }
        return pointers if pointer == "all" else {pointer: pointers[pointer]}


def _certificate(key: Ed25519PrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "attacker.test")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    dated = builder.not_valid_before(now).not_valid_after(now + timedelta(days=1))
    return dated.sign(key, None).public_bytes(Encoding.DER)


@pytest.fixture(scope="session")
async def trap() -> AsyncIterator[Trap]:
    trap = Trap(SigningKey("EdDSA", Ed25519PrivateKey.generate(), "attacker"))
    async with await asyncio.start_server(trap.serve, "127.0.0.1", 0) as server:
        trap.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield trap
        # Once more at the end: a fetch may come after the answer.
        assert trap.calls == []


@pytest.mark.spec("ABUSE-3")
@pytest.mark.parametrize("secret", [b"", b"\0", b"key"], ids=repr)
@pytest.mark.parametrize("kid", KIDS)
async def test_a_kid_finds_no_secret_that_the_attacker_knows(
    refused: Check, forge: Forge, kid: str, secret: bytes
) -> None:
    await refused(forge.token(SigningKey("HS256", secret), {"kid": KIDS[kid]}))


@pytest.mark.spec("ABUSE-3")
@pytest.mark.parametrize("kid", KIDS)
async def test_a_kid_that_is_not_the_keys_own_finds_no_key(
    refused: Check, forge: Forge, kid: str
) -> None:
    await refused(forge.token("EdDSA", {"kid": KIDS[kid]}), unknown_key=True)


@pytest.mark.spec("ABUSE-4")
@pytest.mark.parametrize("kid", ["key-EdDSA", "attacker", ...])
@pytest.mark.parametrize("pointer", POINTERS)
async def test_a_key_in_the_header_is_not_believed_nor_fetched(
    refused: Check, forge: Forge, trap: Trap, pointer: str, kid: Any
) -> None:
    token = forge.token(trap.key, {"kid": kid, **trap.headers(pointer)})

    await refused(token, unknown_key=kid == "attacker")

    assert trap.calls == []


@pytest.mark.spec("ABUSE-4")
@pytest.mark.parametrize("pointer", POINTERS)
async def test_a_good_token_may_point_somewhere_and_nobody_looks(
    accepted: Check, forge: Forge, trap: Trap, pointer: str
) -> None:
    await accepted(forge.token("EdDSA", trap.headers(pointer)))

    assert trap.calls == []


@pytest.mark.spec("ABUSE-5")
@pytest.mark.parametrize("by", ["EdDSA", "HS256"])
@pytest.mark.parametrize("crit", CRITS)
async def test_a_critical_extension_is_refused(
    refused: Check, forge: Forge, crit: str, by: str
) -> None:
    await refused(forge.token(by, CRITS[crit]))
