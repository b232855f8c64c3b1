"""One JSON object a line on standard output, from our own code and from the libraries."""

import logging
import sys

import structlog
from structlog.processors import ExceptionRenderer
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import EventDict, Processor, WrappedLogger

from service_kit.request_id import current_request_id


def configure_logging(service: str, level: str) -> None:
    """Send every log record of the process to standard output as JSON."""

    def add_context(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["service"] = service
        if request_id := current_request_id():
            event["request_id"] = request_id
        return event

    shared: list[Processor] = [
        add_context,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                # A traceback with local variables would write tokens and secrets into the log.
                ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        # Uvicorn has set up handlers of its own before it called us; an access log that it was
        # told to leave out has none.
        if logger.handlers:
            logger.handlers.clear()
            logger.propagate = True
    # httpx logs every address it calls, at INFO.
    logging.getLogger("httpx").setLevel(logging.WARNING)
