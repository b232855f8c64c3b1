"""How two JSON values are compared."""

from typing import Any

import pytest

from devkit.specs.differences import differences


@pytest.mark.spec("SPEC-2")
@pytest.mark.parametrize(
    ("spec", "code", "found"),
    [
        ({"a": 1, "b": [{}]}, {"b": [{}], "a": 1.0}, []),
        ({"a": 1}, {"a": True}, [(("a",), "differs: 1 in the spec, True in the code")]),
        ({"a": None}, {}, [(("a",), "is in the spec, not in the code")]),
        ({"a": [1, 2]}, {"a": [1, 3]}, [(("a", 1), "differs: 2 in the spec, 3 in the code")]),
        ({"a": [1, 2]}, {"a": [2]}, [(("a", 0), "1 is in the spec, not in the code")]),
        ({"a": [2]}, {"a": [1, 2]}, [(("a",), "1 is in the code, not in the spec")]),
        ({"a": [1, 1]}, {"a": [1]}, [(("a",), "has 2 items in the spec, 1 in the code")]),
        ({"a": {}}, {"a": []}, [(("a",), "differs: {} in the spec, [] in the code")]),
    ],
)
def test_each_place_that_differs_is_named(
    spec: dict[str, Any], code: dict[str, Any], found: list[tuple[object, str]]
) -> None:
    assert [(each.path, each.words) for each in differences(spec, code)] == found
