"""A span for each SQL statement, without its values (only imported if traces are recorded).

SQLAlchemy tells of the statements it sends; asyncpg itself of those that are sent past it, and of
BEGIN and COMMIT.
"""

import time
from typing import Any

from asyncpg.connection import LoggedQuery
from opentelemetry.trace import Span, StatusCode
from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.ext.asyncio import AsyncEngine

from service_kit.recording import started

_SPAN = "taskgate_span"


def record_statements(engine: AsyncEngine) -> None:
    """Record what the engine's connections are asked."""
    event.listen(engine.sync_engine, "before_cursor_execute", _begin)
    event.listen(engine.sync_engine, "after_cursor_execute", _end)
    event.listen(engine.sync_engine, "handle_error", _fail)
    event.listen(engine.sync_engine, "connect", _listen)


def _begin(_1: object, _2: object, statement: str, _3: object, context: object, _4: object) -> None:
    setattr(context, _SPAN, _started(statement))


def _end(_1: object, _2: object, _3: object, _4: object, context: object, _5: object) -> None:
    span: Span = getattr(context, _SPAN)
    span.end()


def _fail(failure: ExceptionContext) -> None:
    span: Span | None = getattr(failure.execution_context, _SPAN, None)
    if span is not None:
        span.set_status(StatusCode.ERROR)
        span.end()


def _listen(connection: Any, _record: object) -> None:  # noqa: ANN401 - SQLAlchemy's adapter has no public type
    connection.driver_connection.add_query_logger(_tell)


def _tell(query: LoggedQuery) -> None:
    now = time.time_ns()
    span = _started(query.query, now - int(query.elapsed * 1e9))
    if query.exception is not None:
        span.set_status(StatusCode.ERROR)
    span.end(now)


def _started(statement: str, start_time: int | None = None) -> Span:
    operation = statement.lstrip("( \n").partition(" ")[0].rstrip(";").upper()
    attributes = {"db.system.name": "postgresql", "db.query.text": statement}
    return started(operation, attributes, start_time)
