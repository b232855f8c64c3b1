"""What was verified under keys and settings that are no more is not believed any longer."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from gateway.tests.conftest import FakeVerifier, Gateway, MakeGateway

PATIENCE = 20.0


async def asked_again(gateway: "Gateway", verifier: "FakeVerifier", token: str) -> None:
    """Wait until the verifier is asked about a token, while no clock goes on."""
    known = len(verifier.asked)
    async with asyncio.timeout(PATIENCE):
        while len(verifier.asked) == known:
            await gateway.me(token)


@pytest.mark.spec("AUTH-46")
async def test_a_change_of_trust_empties_both_layers_of_every_gateway(
    make_gateway: "MakeGateway", verifier: "FakeVerifier", make_token: Callable[..., str]
) -> None:
    gateways = [await make_gateway(trust_period=0.05) for _ in range(2)]
    tokens = [make_token(), make_token()]
    for gateway in gateways:
        for token in tokens:
            await gateway.me(token)

    verifier.trust_version = "trust-2"
    for gateway, token in zip(gateways, tokens, strict=True):
        await asked_again(gateway, verifier, token)

    assert verifier.asked == [*tokens, *tokens]


@pytest.mark.spec("AUTH-46")
async def test_a_token_refused_after_a_change_of_trust_is_refused_on_every_gateway(
    make_gateway: "MakeGateway", verifier: "FakeVerifier", token: str
) -> None:
    gateways = [await make_gateway(trust_period=0.05) for _ in range(2)]
    before = [(await gateway.me(token)).status_code for gateway in gateways]

    verifier.trust_version = "trust-2"
    verifier.refuse()
    for gateway in gateways:
        await asked_again(gateway, verifier, token)

    assert before == [200, 200]
    assert [(await gateway.me(token)).status_code for gateway in gateways] == [401, 401]


@pytest.mark.spec("AUTH-46")
async def test_while_trust_stays_the_same_nobody_is_asked_again(
    make_gateway: "MakeGateway", verifier: "FakeVerifier", token: str
) -> None:
    gateway = await make_gateway(trust_period=0.01)
    await gateway.me(token)
    looked = verifier.trust_asked
    async with asyncio.timeout(PATIENCE):
        while verifier.trust_asked < looked + 3:
            await gateway.me(token)

    assert verifier.asked == [token]


@pytest.mark.spec("AUTH-46")
async def test_news_in_a_verdict_is_looked_into_at_once(
    make_gateway: "MakeGateway", verifier: "FakeVerifier", make_token: Callable[..., str]
) -> None:
    gateway = await make_gateway(trust_period=3600.0)
    async with asyncio.timeout(PATIENCE):
        while not verifier.trust_asked:
            await gateway.me(make_token())
    verifier.trust_version = "trust-2"

    async with asyncio.timeout(PATIENCE):
        while verifier.trust_asked < 2:
            await gateway.me(make_token())

    token = make_token()
    await asked_again(gateway, verifier, token)
    await gateway.me(token)
    assert verifier.asked.count(token) == 1


@pytest.mark.spec("AUTH-23", "AUTH-46")
async def test_a_verifier_that_is_away_keeps_known_tokens_working(
    make_gateway: "MakeGateway", verifier: "FakeVerifier", token: str
) -> None:
    gateway = await make_gateway(trust_period=0.01)
    await gateway.me(token)
    await verifier.stop()

    responses = [await gateway.me(token) for _ in range(20)]

    assert {response.status_code for response in responses} == {200}
