"""Files that two connections may share, and how large a file is taken to be."""

from __future__ import annotations

import csv
import io

import pytest

from recipients.bulk import postgres_raw
from recipients.imports import chunks

HEADERS = "email,first_name,birthday,city\n"


def people(count: int, *, city: str = "Roma", every: int = 1) -> str:
    """So many people in no order of their addresses; every 20th line is odd, every 25th repeats another.

    `every` so many people live in `city`.
    """
    sheet = io.StringIO()
    rows = csv.writer(sheet, lineterminator="\n")
    for number in range(count):
        who = (number - 7 if number % 25 == 24 else number) * 7919 % 10_007
        email = {0: f"zoë{who}@exämple.de", 10: "nobody"}.get(number % 20, f"P{who}@example.com")
        rows.writerow(
            [email, f"N°{who}", f"19{who % 90 + 10}-02-0{who % 9 + 1}", "" if number % every else city]
        )
    return HEADERS + sheet.getvalue()


@pytest.fixture
def halved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files are cut and halved as large ones are."""
    monkeypatch.setattr(chunks, "CHUNK_BYTES", 2_000)
    monkeypatch.setattr(postgres_raw, "HALVED_FROM", 1)
    # Of so few pages none might be looked at.
    monkeypatch.setattr(postgres_raw, "MIDDLE_PERCENT", 100)
