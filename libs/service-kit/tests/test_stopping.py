import asyncio
import signal

import pytest

from service_kit.stopping import on_stop


@pytest.mark.spec("EVENT-11")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_to_stop_does_what_it_did_and_our_action_besides(number: int) -> None:
    told, heard = asyncio.Event(), []
    before = signal.signal(number, lambda *_: heard.append(number))
    try:
        with on_stop(told.set):
            signal.raise_signal(number)
            async with asyncio.timeout(10):
                await told.wait()
        told.clear()
        signal.raise_signal(number)
        await asyncio.sleep(0)
    finally:
        signal.signal(number, before)

    assert heard == [number, number]
    assert not told.is_set()
