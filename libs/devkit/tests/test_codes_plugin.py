"""A run that is asked for every declared code; its tests say by themselves what they have seen."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PASSES = """
from devkit.declared import Failure, seen

def test_passes():
    seen.add(Failure("GET /api/v1/tasks/{task_id}", 404, "task_not_found"))
"""
FAILS = """
def test_fails():
    assert False
"""


def _run(folder: Path, tests: str, *options: str) -> tuple[int, str]:
    (folder / "test_inner.py").write_text(tests)
    plugins = ("-p", "devkit.codes_plugin", "-p", "xdist", "-p", "no:cacheprovider")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *plugins, *options, "test_inner.py"],
        cwd=folder,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.spec("ERR-9")
def test_a_run_whose_workers_miss_codes_fails_and_names_them(tmp_path: Path) -> None:
    status, said = _run(tmp_path, PASSES, "--codes", "-n1")

    assert (status, "1 passed" in said) == (1, True)
    assert "\nPUT /api/v1/tasks/{task_id}: 404 task_not_found\n" in said
    assert "\nGET /api/v1/tasks/{task_id}: 404 task_not_found\n" not in said


@pytest.mark.spec("ERR-9")
def test_a_run_that_is_not_asked_or_has_failed_says_nothing_of_codes(tmp_path: Path) -> None:
    not_asked, failed = _run(tmp_path, PASSES), _run(tmp_path, FAILS, "--codes")

    assert (not_asked[0], failed[0]) == (0, 1)
    assert "ERR-9" not in not_asked[1] + failed[1]
