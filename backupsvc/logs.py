"""How a log line looks. A line tells an event and its numbers, never a recipient's address."""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime

# Addresses can slip in by an exception of a library ("Key (email)=(…) already exists").
ADDRESS = re.compile(r"[^\s@<>()\"',;=]+@[^\s@<>()\"',;=]+\.[^\s@<>()\"',;=]+")
# What a record carries by itself; everything else came in by `extra=`.
STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def without_addresses(text: str) -> str:
    """The text with everything that looks like an e-mail address blacked out."""
    return ADDRESS.sub("[address]", text)


class TextLine(logging.Formatter):
    """`2026-11-23T18:00:00Z WARNING backups.purge: message name=value`, a traceback below it."""

    def format(self, record: logging.LogRecord) -> str:
        fields = "".join(f" {key}={value}" for key, value in _fields(record).items())
        line = f"{_time(record)} {record.levelname} {record.name}: {record.getMessage()}{fields}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return without_addresses(line)


class JsonLine(logging.Formatter):
    """One JSON object a line: time, level, logger, event, the fields, and the traceback."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return without_addresses(json.dumps(entry, ensure_ascii=False, default=str))


def _fields(record: logging.LogRecord) -> dict[str, object]:
    # Django hangs the request and its response on a record: too much, and of no use in a line.
    left_out = {"request", "response", "server_time", "data"}
    return {key: value for key, value in vars(record).items() if key not in STANDARD | left_out}


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
