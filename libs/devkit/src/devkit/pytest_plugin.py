"""Fixtures that give tests a real PostgreSQL, a real Redis and the whole running system.

Everything starts when the first test asks for it and ends with the session, however it ends.

- `postgres_server`, `redis_url`: one server each for the session, by URL. `DATABASE_URL` and
  `REDIS_URL` in the environment are used instead when they are set.
- `create_database`: `await create_database()` returns the URL of a new, empty database that lives
  as long as the session; `database_url` is such a URL for one test alone.
- `private_postgres`, `redis_server`: servers of the test's own, to `stop()`, `start()`, `kill()`,
  `pause()` and `resume()`.
- `stack`: the whole system for the session, see `devkit.stack.Stack`; do not stop its parts.
- `fault_stack`: a system of the test's own, whose parts may be stopped, killed and paused.
- `stack_factory`: `await stack_factory(environment={"gateway": {…}}, gateways=2)` starts one that
  is set up otherwise, for the length of the test.
- `report`: `report("…")` adds a line to what the run shows at its end.
"""

import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial

import pytest

from devkit.databases import fresh_databases
from devkit.servers import Server, temporary_postgres, temporary_redis
from devkit.stack import Environments, Stack, running_stack
from devkit.temporary import end_abandoned, end_ours

CreateDatabase = Callable[[], Awaitable[str]]
StackFactory = Callable[..., Awaitable[Stack]]
Report = Callable[[str], None]
_REPORT = "report"


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Make a polite end (SIGTERM, a closed terminal) run the fixtures' ends, as Ctrl-C does."""
    # Sessions would share a folder above their temporary files, and each that starts would close
    # it to the account that PostgreSQL runs under.
    if config.option.basetemp is None:
        config.option.basetemp = tempfile.mkdtemp(prefix="taskgate-tmp-")
        config.add_cleanup(partial(shutil.rmtree, config.option.basetemp, ignore_errors=True))
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: signal.raise_signal(signal.SIGINT))


def pytest_unconfigure() -> None:
    """End what is still running: a second Ctrl-C may have cut the fixtures' ends short."""
    end_ours()


@pytest.fixture(scope="session")
def _nothing_abandoned() -> None:
    end_abandoned()


@pytest.fixture(scope="session")
async def postgres_server(_nothing_abandoned: None) -> AsyncIterator[str]:
    """Give the URL of a PostgreSQL server on which databases may be created."""
    configured = os.environ.get("DATABASE_URL")
    if configured:
        yield configured
        return
    async with temporary_postgres() as server:
        yield server.url


@pytest.fixture(scope="session")
async def create_database(postgres_server: str) -> AsyncIterator[CreateDatabase]:
    """Give a coroutine function that creates an empty database for the rest of the session."""
    async with fresh_databases(postgres_server) as databases:
        yield databases.create


@pytest.fixture
async def database_url(postgres_server: str) -> AsyncIterator[str]:
    """Give the URL of an empty database for one test."""
    async with fresh_databases(postgres_server) as databases:
        yield await databases.create()


@pytest.fixture
async def private_postgres(_nothing_abandoned: None) -> AsyncIterator[Server]:
    """Give a PostgreSQL the test may stop."""
    async with temporary_postgres() as server:
        yield server


@pytest.fixture(scope="session")
async def redis_url(_nothing_abandoned: None) -> AsyncIterator[str]:
    """Give the URL of a Redis every test shares: use keys of your own."""
    configured = os.environ.get("REDIS_URL")
    if configured:
        yield configured
        return
    async with temporary_redis() as server:
        yield server.url


@pytest.fixture
async def redis_server(_nothing_abandoned: None) -> AsyncIterator[Server]:
    """Give a Redis the test may stop; it forgets everything when it does."""
    async with temporary_redis() as server:
        yield server


@pytest.fixture(scope="session")
async def stack(create_database: CreateDatabase, redis_url: str) -> AsyncIterator[Stack]:
    """Give the system every test shares: use users of your own, and leave its parts running."""
    async with running_stack(database_url=await create_database(), redis_url=redis_url) as running:
        yield running


@pytest.fixture
async def stack_factory(_nothing_abandoned: None) -> AsyncIterator[StackFactory]:
    """Give a coroutine function that starts a system; its parameters are `running_stack`'s."""
    async with AsyncExitStack() as opened:

        async def start(*, environment: Environments | None = None, gateways: int = 1) -> Stack:
            system = running_stack(environment=environment, gateways=gateways)
            return await opened.enter_async_context(system)

        yield start


@pytest.fixture
async def fault_stack(stack_factory: StackFactory) -> Stack:
    """Give a system whose parts the test may stop, kill, pause and start again."""
    return await stack_factory()


@pytest.fixture
def report(record_property: Callable[[str, object], None]) -> Report:
    """Give a function that adds a line to what the run shows at its end."""
    return partial(record_property, _REPORT)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the lines that tests reported, whichever process ran them."""
    for reports in terminalreporter.stats.values():
        for test in reports:
            if isinstance(test, pytest.TestReport) and test.when == "call":
                for name, line in test.user_properties:
                    if name == _REPORT:
                        terminalreporter.write_line(str(line))
