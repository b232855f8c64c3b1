"""Which marks count: those pytest would see on a test that runs."""

from pathlib import Path

import pytest

from devkit.specs.marks import read_marks

NESTED = """
@pytest.mark.spec("A-1")
class TestA:
    def test_b(self): ...
    class TestC:
        def test_d(self): ...
"""

INLINE = """
@pytest.mark.parametrize("x", [pytest.param(1, marks=pytest.mark.spec("A-1"))])
def test_a(x): ...
"""

CONSTANT = """
CASES = [pytest.param(1, marks=[pytest.mark.spec("A-1")])]
@pytest.mark.parametrize("x", CASES)
def test_a(x): ...
"""


def read(tmp_path: Path, source: str) -> tuple[dict[str, list[str]], list[str]]:
    file = tmp_path / "test_it.py"
    file.write_text(f"import pytest\n{source}")
    marks, problems = read_marks(tmp_path, [file])
    tests = {mark.id: [name.split("::", 1)[1] for name in mark.tests] for mark in marks}
    return tests, [problem.message for problem in problems]


@pytest.mark.spec("SPEC-4")
@pytest.mark.parametrize(
    ("source", "tests"),
    [
        ('@pytest.mark.spec("A-1")\ndef test_a(): ...', ["test_a"]),
        ('@pytest.mark.spec("A-1")\nasync def test_a(): ...', ["test_a"]),
        (NESTED, ["TestA::test_b", "TestA::TestC::test_d"]),
        ('pytestmark = pytest.mark.spec("A-1")\ndef test_a(): ...', ["test_a"]),
        ('pytestmark: list = [pytest.mark.spec("A-1")]\ndef test_a(): ...', ["test_a"]),
        (INLINE, ["test_a"]),
        (CONSTANT, ["test_a"]),
        ('from pytest import mark\n@mark.spec("A-1")\ndef test_a(): ...', ["test_a"]),
    ],
)
def test_a_mark_on_a_test_counts(tmp_path: Path, source: str, tests: list[str]) -> None:
    assert read(tmp_path, source) == ({"A-1": tests}, [])


@pytest.mark.spec("SPEC-4")
@pytest.mark.parametrize(
    "source",
    [
        '@pytest.mark.spec("A-1")\ndef helper(): ...',
        '@pytest.mark.spec("A-1")\nclass Helper:\n  def test_a(self): ...',
        '@pytest.mark.spec("A-1")\nclass TestNothing: ...',
        'pytestmark = pytest.mark.spec("A-1")',
        'def test_a():\n  @pytest.mark.spec("A-1")\n  def test_inner(): ...',
        'CASES = [pytest.param(1, marks=pytest.mark.spec("A-1"))]\ndef test_a(): ...',
        '@pytest.mark.skip\n@pytest.mark.spec("A-1")\ndef test_a(): ...',
        'pytestmark = pytest.mark.skip(reason="x")\n@pytest.mark.spec("A-1")\ndef test_a(): ...',
    ],
)
def test_a_mark_elsewhere_does_not_count_and_is_named(tmp_path: Path, source: str) -> None:
    assert read(tmp_path, source) == ({}, ["a spec mark that is on no test that runs"])


@pytest.mark.spec("SPEC-5")
@pytest.mark.parametrize("arguments", ["", "ID", '"A-1", ID', 'id="A-1"', "1"])
def test_a_mark_takes_literal_ids(tmp_path: Path, arguments: str) -> None:
    source = f"ID = 'A-1'\n@pytest.mark.spec({arguments})\ndef test_a(): ..."

    assert read(tmp_path, source) == ({}, ["a spec mark takes literal ids"])
