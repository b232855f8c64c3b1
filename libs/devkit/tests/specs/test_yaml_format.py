"""What is written is read back as it was, and reads well."""

import pytest

from devkit.specs import yaml_format
from devkit.specs.problems import SpecFormatError

SENTENCE = "Every word: of this sentence # counts, and there are many of them. " * 4


@pytest.mark.parametrize(
    "text",
    [
        *("", " padded ", "no", "on", "~", "200", "1.0", "2026-01-31", "2026-01-31T10:00:00Z"),
        *("a: b", "# no comment", "- no item", "12:30:00", "tab\tstop", "éß漢😀", "\x00", "'\""),
        *("two\nlines", "two\nlines\n", "trailing \nspace", "\n\nlead", "  indented\n code"),
        *(SENTENCE, SENTENCE.strip(), f" {SENTENCE}", f"{SENTENCE}\n{SENTENCE}", "x" * 300),
    ],
)
def test_any_text_comes_back_as_it_was(text: str) -> None:
    document = {text: {"deep": [text, {"deeper": text}]}}

    assert yaml_format.load(yaml_format.dump(document)).data == document


def test_long_text_is_folded_and_lines_stay_lines() -> None:
    text = yaml_format.dump({"long": SENTENCE.strip(), "lines": "one\ntwo\n"})

    assert text.startswith("long: >-\n  Every word: of")
    assert text.endswith("lines: |\n  one\n  two\n")
    assert max(map(len, text.splitlines())) <= 110


def test_keys_keep_their_order_and_nothing_is_abbreviated() -> None:
    shared = {"b": 1, "a": [1.5, None, True]}

    text = yaml_format.dump({"z": shared, "y": shared})

    assert text == "".join(f"{key}:\n  b: 1\n  a:\n  - 1.5\n  - null\n  - true\n" for key in "zy")


def test_unquoted_dates_and_numeric_keys_are_text() -> None:
    assert yaml_format.load("200: 2026-01-31").data == {"200": "2026-01-31"}


def test_a_line_is_that_of_the_deepest_part_there_is() -> None:
    loaded = yaml_format.load("a:\n  b:\n  - c: 1\n  - d: 2\n")

    places = [(), ("a", "b"), ("a", "b", 1), ("a", "b", 1, "d"), ("a", "b", 7), ("x", "b")]
    assert [loaded.line(place) for place in places] == [1, 2, 4, 4, 2, 1]


@pytest.mark.parametrize(("text", "line"), [("a: 1\nb: [", 3), ("a: 1\na: 2", 2), ("\x00", 1)])
def test_what_is_no_clean_yaml_is_refused_with_its_line(text: str, line: int) -> None:
    with pytest.raises(SpecFormatError) as refusal:
        yaml_format.load(text)

    assert refusal.value.line <= line
