"""Damaged files on the whole way of an import: what becomes of each row is told once."""

from __future__ import annotations

import pytest

from recipients.models import Recipient
from tests.fixtures.damage import BASES, DAMAGES, Writing
from tests.fixtures.wizard import Wizard


@pytest.mark.parametrize("damage", DAMAGES)
def test_every_row_of_a_damaged_file_is_counted_once(wizard: Wizard, damage: str) -> None:
    writing = Writing(BASES["people"], delimiter=";")
    for row in (2, 5, 11):
        DAMAGES[damage](writing, row, 1)
    # The same people again, so that some are duplicates.
    text = writing.text + "\r\n".join(writing.lines[3:6]) + "\r\n"
    change = wizard.whole_way(text.encode("utf-8", "surrogateescape"))
    counted = change.added + change.updated + change.unchanged + change.kept_safe
    assert change.rows == counted + change.rejected + change.duplicates
    assert change.added == Recipient.objects.count() >= 13
