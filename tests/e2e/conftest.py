"""Decides whether the Better Auth test can run here, and says so when it cannot."""

import os
import re
import shutil
import subprocess

import pytest

_OLDEST_NODE = (20, 19)  # As tests/issuer/package.json says.


def _node_is_missing() -> str | None:
    if shutil.which("node") is None or shutil.which("npm") is None:
        return "Node and npm are not on PATH"
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S607 - the user's own Node.
    version = re.match(r"v(\d+)\.(\d+)", said)
    if version is None or (int(version[1]), int(version[2])) < _OLDEST_NODE:
        oldest = ".".join(map(str, _OLDEST_NODE))
        return f"Node {oldest} or newer is needed, this is {said.strip() or 'unknown'}"
    return None


_why_not = _node_is_missing()
if _why_not and os.environ.get("CI"):
    raise pytest.UsageError(f"The Better Auth test must run in CI: {_why_not}.")
collect_ignore = ["test_better_auth.py"] if _why_not else []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the one test that is left out for want of a part."""
    if _why_not:
        terminalreporter.write_line(f"NOT RUN: tests/e2e/test_better_auth.py: {_why_not}.")
