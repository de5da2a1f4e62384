"""Log lines: one per event, readable by machines, without anybody's address."""

from __future__ import annotations

import json
import logging
import sys

import pytest

from backupsvc.logs import JsonLine, TextLine

pytestmark = pytest.mark.once


def record(message: str, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("backups.purge", logging.WARNING, __file__, 1, message, (), None)
    vars(made).update(extra)
    return made


def test_a_text_line_carries_its_fields() -> None:
    line = TextLine().format(record("purged", rows=3))
    assert line.endswith("WARNING backups.purge: purged rows=3")


def test_a_json_line_is_one_object() -> None:
    line = JsonLine().format(record("purged\nall", rows=3))
    assert "\n" not in line
    entry = json.loads(line)
    assert (entry["level"], entry["event"], entry["rows"]) == ("warning", "purged\nall", 3)


@pytest.mark.parametrize("formatter", [TextLine(), JsonLine()])
def test_no_line_holds_an_address(formatter: logging.Formatter) -> None:
    try:
        raise ValueError("Key (email)=(anna@example.com) already exists")
    except ValueError:
        made = record("failed for anna@example.com", who="anna@example.com", exc_info=sys.exc_info())
    line = formatter.format(made)
    assert "anna@example.com" not in line
    assert "already exists" in line
