"""Which trace a request belongs to, as W3C Trace Context has it."""

import pytest

from service_kit.trace_context import offered_trace

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GOOD = f"00-{TRACE}-{SPAN}-01"


@pytest.mark.spec("OBS-10")
@pytest.mark.parametrize("value", [GOOD, f"01-{TRACE}-{SPAN}-01", f"cc-{TRACE}-{SPAN}-01-more"])
def test_a_valid_trace_goes_on_with_its_state(value: str) -> None:
    trace = offered_trace([value.encode()], [b"a=1", b"b=2"])

    assert trace is not None
    assert dict(trace.headers()) == {b"traceparent": GOOD.encode(), b"tracestate": b"a=1,b=2"}


@pytest.mark.spec("OBS-10")
@pytest.mark.parametrize(
    "value",
    [
        "",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}",
        f"{GOOD}-more",
        f"{GOOD}more",
        f"01-{TRACE}-{SPAN}-01more",
        f" {GOOD}",
        f"{GOOD}\n",
    ],
)
def test_what_is_malformed_is_no_trace(value: str) -> None:
    assert offered_trace([value.encode()], [b"a=1"]) is None


@pytest.mark.spec("OBS-10")
def test_two_traces_are_none_and_a_state_too_long_is_left_behind() -> None:
    assert offered_trace([GOOD.encode()] * 2, []) is None
    trace = offered_trace([GOOD.encode()], [b"a=" + b"1" * 600])
    assert trace is not None
    assert dict(trace.headers()) == {b"traceparent": GOOD.encode()}
