"""The lists that are measured with are what docs/performance.md says of them."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from benchmarks.people import HEADER, addresses, list_file

pytestmark = pytest.mark.once
ROWS = 2_000


def read(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    assert tuple(head) == HEADER
    return rows


def test_a_list_has_its_share_of_repeated_and_bad_addresses(tmp_path: Path) -> None:
    rows = read(list_file(tmp_path, rows=ROWS))
    assert (len(rows), len(HEADER)) == (ROWS, 12)
    good = [row[0].lower() for row in rows if "@@" not in row[0]]
    assert len(rows) - len(good) == ROWS // 200
    assert len(good) - len(set(good)) == ROWS // 100
    assert len(set(good)) == addresses(ROWS)
    assert good != sorted(good)


def test_the_same_list_is_made_again_and_again(tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    for folder in (first, second):
        folder.mkdir()
    one = list_file(first, rows=ROWS)
    assert one.read_bytes() == list_file(second, rows=ROWS).read_bytes()


def test_a_changed_list_differs_in_its_share_of_rows_and_in_no_address(tmp_path: Path) -> None:
    before, after = read(list_file(tmp_path, rows=ROWS)), read(list_file(tmp_path, rows=ROWS, changed=0.01))
    assert [row[0] for row in before] == [row[0] for row in after]
    assert 5 <= sum(old != new for old, new in zip(before, after, strict=True)) <= 40


def test_other_people_have_other_addresses(tmp_path: Path) -> None:
    some, others = list_file(tmp_path, rows=ROWS), list_file(tmp_path, rows=ROWS, first=ROWS)
    assert not {row[0].lower() for row in read(some)} & {
        row[0].lower() for row in read(others) if "@@" not in row[0]
    }
