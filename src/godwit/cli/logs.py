"""The log of a command: on stderr, since stdout is for what was asked for."""

from __future__ import annotations

import logging
import sys


def to_stderr(level: int) -> None:
    """Send the log to stderr, one event a line, as keys and values.

    Without this structlog would write everything, the least important included, to stdout.

    Args:
        level: the least important level that is written, such as `logging.INFO`.
    """
    import structlog

    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"], bool_as_flag=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )
