"""What counts as a promise that was broken."""

from dataclasses import replace

import pytest

from devkit.promises import Fault, Growth, table

GOOD = Fault("kill", 100, {"503 upstream_unavailable": 3}, recovery=1.0, lost=0, foreign=0)


@pytest.mark.spec("OBS-19")
@pytest.mark.parametrize(
    ("change", "broken"),
    [
        ({}, []),
        ({"failures": {"500 internal_error": 1}}, ["failed as 500 internal_error"]),
        (
            {"failures": {"503 auth_unavailable without Retry-After": 1}},
            ["failed as 503 auth_unavailable without Retry-After"],
        ),
        ({"failures": {"401 token_invalid": 1}}, ["failed as 401 token_invalid"]),
        ({"failures": {"ReadError": 1}}, ["failed as ReadError"]),
        ({"failures": {"ReadError": 1}, "holds_connections": True}, []),
        ({"must_not_fail": True}, ["requests failed"]),
        ({"recovery": 31.0}, ["failed for 31 s after the fault"]),
        ({"lost": 1}, ["1 acknowledged writes lost"]),
        ({"foreign": 1}, ["another user's data was shown"]),
    ],
)
def test_a_fault_keeps_its_promises_or_is_named(
    change: dict[str, object], broken: list[str]
) -> None:
    fault = replace(GOOD, **change)  # type: ignore[arg-type]  # any of its fields

    assert fault.broken() == broken
    assert ("; ".join(broken) or "kept") in table([fault])


@pytest.mark.spec("OBS-19")
def test_growth_is_what_goes_on_after_the_start() -> None:
    warming = Growth("files", [10, 60, 110, *[115.0] * 30])
    leaking = Growth("files", [100.0 + sample for sample in range(60)])

    assert not warming.grows()
    assert leaking.grows()
    assert leaking.slope(60) == pytest.approx(60)
    assert warming.slope(60) == pytest.approx(0)
