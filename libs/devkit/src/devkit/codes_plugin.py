"""`pytest --codes`, for a run of all tests: it fails if a declared error code was seen by none."""

from typing import Any

import pytest

from devkit.declared import Declared, Failure, seen, unseen
from devkit.specs.project import public_document, taskgate

_SEEN = "seen_failures"
_NEVER = pytest.StashKey[list[Failure]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the option."""
    parser.addoption("--codes", action="store_true", help="fail if no test sees a declared code")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Hand what a worker saw to the process that tells (pytest-xdist), which fails by it."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput[_SEEN] = [tuple(failure) for failure in seen]
    # A run that was cut short or has failed has not seen all it would.
    elif session.config.option.codes and exitstatus == pytest.ExitCode.OK:
        never = session.config.stash[_NEVER] = _never_seen(session.config)
        if never:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:  # noqa: ANN401 - xdist's, which has no types
    """Add what a worker saw; one that was killed has seen nothing."""
    seen.update(Failure(*each) for each in getattr(node, "workeroutput", {}).get(_SEEN, ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what was not seen."""
    never = terminalreporter.config.stash.get(_NEVER, [])
    if never:
        terminalreporter.section("declared, and answered to no test (ERR-9)")
        for failure in never:
            terminalreporter.write_line(f"{failure.operation}: {failure.status} {failure.code}")


def _never_seen(config: pytest.Config) -> list[Failure]:
    project = taskgate(config.rootpath)
    documents = (public_document(project), project.openapi["tasks"]())
    return unseen((each for one in documents for each in Declared(one).failures()), seen)
