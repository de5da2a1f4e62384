"""What differs between two states of a list, both sorted by key. Pure, in constant memory."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from recipients.bulk.copytext import COLUMNS, cells

Cells = list[str | None]
KEY, EMAIL = COLUMNS.index("key"), COLUMNS.index("email")
JSON_COLUMNS = (COLUMNS.index("tags"), COLUMNS.index("attributes"))


@dataclass
class Difference:
    """Counts from the first state to the second, and the first few addresses of each kind."""

    added: int = 0
    removed: int = 0
    changed: int = 0
    unchanged: int = 0
    samples: dict[str, list[str]] = field(default_factory=lambda: {"added": [], "removed": [], "changed": []})


def difference(before: Iterable[str], after: Iterable[str], *, samples: int = 20) -> Difference:
    """Compare two streams of copytext lines, each by key in byte order.

    Lines that are the same are not read any further: of a list of millions most are.
    """
    found = Difference()
    old, new = iter(before), iter(after)
    left, right = next(old, None), next(new, None)
    while left is not None or right is not None:
        if left == right:
            found.unchanged += 1
            left, right = next(old, None), next(new, None)
        elif left is None or (right is not None and _key(right) < _key(left)):
            assert right is not None  # noqa: S101  # one of the two is there
            _note(found, kind="added", line=right, most=samples)
            right = next(new, None)
        elif right is None or _key(left) < _key(right):
            _note(found, kind="removed", line=left, most=samples)
            left = next(old, None)
        else:
            if _spelled(left) == _spelled(right):
                found.unchanged += 1
            else:
                _note(found, kind="changed", line=right, most=samples)
            left, right = next(old, None), next(new, None)
    return found


def _key(line: str) -> bytes:
    key = line.partition("\t")[0]
    return (key if "\\" not in key else cells(line)[KEY] or "").encode()


def _note(found: Difference, *, kind: str, line: str, most: int) -> None:
    setattr(found, kind, getattr(found, kind) + 1)
    if len(found.samples[kind]) < most:
        found.samples[kind].append(cells(line)[EMAIL] or "")


def _spelled(line: str) -> list[object]:
    """The row with its JSON parsed: databases spell the same value in different ways."""
    return [
        json.loads(cell) if index in JSON_COLUMNS and cell is not None else cell
        for index, cell in enumerate(cells(line))
    ]


def matching(stream: Iterable[str], *, text: str) -> Iterator[str]:
    """The lines whose address holds the text, upper and lower case alike."""
    wanted = text.strip().lower()
    # A backslash stands twice in a line.
    hint = wanted.partition("\\")[0]
    for line in stream:
        if hint in line.lower():
            row = cells(line)
            if wanted in (row[KEY] or "") or wanted in (row[EMAIL] or "").lower():
                yield line
