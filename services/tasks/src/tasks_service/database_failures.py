"""What a failing database looks like to the driver, turned into the answer a caller gets."""

import structlog
from asyncpg import InterfaceError, InternalClientError, PostgresError
from fastapi import FastAPI, Request, Response
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi as Adapter
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from service_kit.errors import problem_response
from tasks_service.errors import DatabaseUnavailableError

# PostgreSQL's Appendix A: connection failures, insufficient resources, operator intervention
# (a cancelled statement, a server going down or coming up); 55P03 is a lock not had in time.
_PASSING = ("08", "53", "57", "55P03")
# SQLAlchemy wraps most of what the driver raises, though not all.
# This service does no I/O but the database's, so an OSError (a TimeoutError is one) is its.
DATABASE_ERRORS = (
    OSError,
    PoolTimeoutError,
    DBAPIError,
    PostgresError,
    InterfaceError,
    # What the driver comes to when the server goes away between two steps of a statement.
    InternalClientError,
    # Of a connection that is made for a read on the driver.
    Adapter.Error,
)
_LOST = (
    OSError,
    PoolTimeoutError,
    InterfaceError,
    InternalClientError,
    Adapter.InternalClientError,
)
_log = structlog.get_logger(__name__)


def install_database_failures(app: FastAPI) -> None:
    """Answer 503 while the database is away; any other failure of it stays an internal error."""
    for kind in DATABASE_ERRORS:
        app.add_exception_handler(kind, _answer_failure)


async def _answer_failure(request: Request, error: Exception) -> Response:
    if not is_passing(error):
        raise error
    _log.warning("database_unavailable", reason=type(error).__name__)
    request.app.state.metrics.count_failure(error)
    return problem_response(DatabaseUnavailableError(), request.app.state.public_url)


def is_passing(error: Exception) -> bool:
    """Tell whether the database is merely away, and the same may succeed later."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    cause = error.orig if isinstance(error, DBAPIError) else error
    state = getattr(cause, "sqlstate", None)
    if isinstance(state, str):
        return state.startswith(_PASSING)
    return isinstance(cause, _LOST)
