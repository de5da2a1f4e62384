"""What differs between two states of a list, both sorted by key. Pure, in constant memory."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from recipients.bulk.copytext import COLUMNS

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


def difference(before: Iterable[Cells], after: Iterable[Cells], *, samples: int = 20) -> Difference:
    """Compare two streams of copytext rows, each by key in byte order."""
    found = Difference()
    old, new = iter(before), iter(after)
    left, right = next(old, None), next(new, None)
    while left is not None or right is not None:
        if right is None or (left is not None and _key(left) < _key(right)):
            assert left is not None  # noqa: S101  # one of the two is there
            _note(found, kind="removed", row=left, most=samples)
            left = next(old, None)
        elif left is None or _key(right) < _key(left):
            _note(found, kind="added", row=right, most=samples)
            right = next(new, None)
        else:
            if _same(left, right):
                found.unchanged += 1
            else:
                _note(found, kind="changed", row=right, most=samples)
            left, right = next(old, None), next(new, None)
    return found


def _key(row: Cells) -> bytes:
    return (row[KEY] or "").encode()


def _note(found: Difference, *, kind: str, row: Cells, most: int) -> None:
    setattr(found, kind, getattr(found, kind) + 1)
    if len(found.samples[kind]) < most:
        found.samples[kind].append(row[EMAIL] or "")


def _same(left: Cells, right: Cells) -> bool:
    return left == right or _spelled(left) == _spelled(right)


def _spelled(row: Cells) -> list[object]:
    """The row with its JSON parsed: databases spell the same value in different ways."""
    return [
        json.loads(cell) if index in JSON_COLUMNS and cell is not None else cell
        for index, cell in enumerate(row)
    ]


def matching(stream: Iterable[Cells], *, text: str) -> Iterator[Cells]:
    """The rows whose address holds the text, upper and lower case alike."""
    wanted = text.strip().lower()
    return (row for row in stream if wanted in (row[KEY] or "") or wanted in (row[EMAIL] or "").lower())
