"""How large a file is taken to be."""

from __future__ import annotations

import pytest

from recipients.bulk import postgres_raw
from recipients.imports import chunks


@pytest.fixture
def halved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files are cut and halved as large ones are."""
    monkeypatch.setattr(chunks, "CHUNK_BYTES", 2_000)
    monkeypatch.setattr(postgres_raw, "HALVED_FROM", 1)
    # Of so few pages none might be looked at.
    monkeypatch.setattr(postgres_raw, "MIDDLE_PERCENT", 100)
