"""Logs: one line per event, as JSON or as text for people, and without personal content or secrets.

Modules log through ``structlog.get_logger(__name__)`` with key-value pairs; libraries log through ``logging``.  Both end
in the same renderer, behind the same redaction.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor

MASK = "***"

# Values under these keys never reach a log: secrets, and what people say or are reached under.
_SECRET_WORDS = (
    "password",
    "secret",
    "token",
    "authorization",
    "cookie",
    "api_key",
    "apikey",
    "credential",
    "signature",
)
_PERSONAL = frozenset({"text", "body", "message_text", "email", "phone", "first_name", "last_name", "transcript"})
_IN_TEXT: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(://[^/\s:@]*:)[^/\s@]+@"), rf"\1{MASK}@"),  # postgresql://user:secret@host
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"), rf"\1 {MASK}"),
    (re.compile(r"(?i)([?&](?:token|key|secret|signature|password)=)[^&\s\"']+"), rf"\1{MASK}"),
    (re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b"), MASK),  # e-mail addresses
)
# What libraries say below a warning is of no use to an operator: uvicorn's start lines, every migration step.
_QUIET = ("uvicorn", "uvicorn.error", "uvicorn.access", "asyncio", "aiohttp", "alembic", "nats", "httpx", "litestar")


def set_up_logging(
    *,
    level: Literal["debug", "info", "warning", "error"] = "info",
    format: Literal["auto", "text", "json"] = "auto",  # noqa: A002 - the word of the setting
    stream: TextIO | None = None,
) -> None:
    """Send everything to ``stream`` (standard error when None).  Call once, before anything logs."""
    stream = stream or sys.stderr
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=_finish(_is_json(format, stream)))
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))
    logging.captureWarnings(capture=True)


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> EventDict:
    """The structlog processor that masks secrets and personal content, at any depth."""
    return {
        key: value if key in {"level", "logger", "timestamp"} else _clean(key, value) for key, value in event.items()
    }


def _finish(as_json: bool) -> list[Processor]:
    first: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if as_json:
        # The stack becomes text before the redaction, since exceptions quote what they were given.
        return [*first, structlog.processors.format_exc_info, redact, structlog.processors.JSONRenderer(default=str)]
    colours = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    return [*first, structlog.processors.format_exc_info, redact, colours]


def _is_json(format: str, stream: TextIO) -> bool:  # noqa: A002 - as above
    return format == "json" or (format == "auto" and not stream.isatty())


def _clean(key: str, value: Any) -> Any:
    lower = key.lower()
    if isinstance(value, bool | int | float | None):
        return value
    if lower in _PERSONAL or any(word in lower for word in _SECRET_WORDS):
        return MASK
    if isinstance(value, dict):
        return {inner: _clean(str(inner), each) for inner, each in value.items()}
    if isinstance(value, list | tuple | set):
        return [_clean("", each) for each in value]
    shown = value if isinstance(value, str) else str(value)
    for pattern, replacement in _IN_TEXT:
        shown = pattern.sub(replacement, shown)
    return shown
