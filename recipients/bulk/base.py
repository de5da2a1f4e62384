"""The contract of the bulk engine: set-based work on one group, the same on every database."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO, Literal, NamedTuple, Protocol, TypeVar

from recipients.bulk.copytext import Sink
from recipients.models import Mode


class Stage(NamedTuple):
    """One row for the staging table, in the order of its columns. None: the row says nothing."""

    line: int
    key: str
    email: str
    domain: str
    digest: str
    registered: datetime | None
    activated: datetime | None
    deactivated: datetime | None
    bounced: datetime | None
    says_status: bool
    source: str | None
    signup_ip: str | None
    tags: Sequence[str] | None
    attributes: Mapping[str, str | None]


Kind = Literal["email", "time", "status", "source", "signup_ip", "tags", "text", "number", "gender", "date"]


@dataclass(frozen=True)
class Cell:
    """A mapped column of a file: where it is, what it gives, and what its unusual cells mean.

    `target` is a field of a recipient, or an attribute's name where `is_attribute`. `known` maps a cell
    to what the check makes of it: a text, a list of tags, a time in ISO form, or None for nothing.
    `decimal` is the mark before a number's fraction, None when the file does not tell.
    """

    index: int
    target: str
    kind: Kind
    is_attribute: bool = False
    known: Mapping[str, object] = field(default_factory=dict)
    decimal: str | None = None

    @property
    def column(self) -> str:
        """The raw table's column."""
        return f"c{self.index}"


@dataclass(frozen=True)
class Usual:
    """What many rows of a file have in common, so that little is needed to read them. It decides nothing: a
    row that has none of it is read the long way, to the same end.

    `domains` are plain ones; `gaps` are attributes that have no value together; `days` are those on which
    no clock was changed in the reading's zone, as 2026-11-23.
    """

    domains: Sequence[str] = ()
    gaps: Sequence[frozenset[str]] = ()
    days: Sequence[str] = ()


@dataclass(frozen=True)
class Reading:
    """How the cells of a raw table become staged rows: the rules of a check, as far as plain rows go.

    `fixed` gives a field the same value in every row; `roles` are local parts that nobody subscribes
    with; `digest_key` is the key for hashes of addresses, None when nobody asks for them. Times without
    a zone are in `zone`. All else as in `imports.check.Rules`.
    """

    cells: Sequence[Cell]
    fixed: Mapping[str, object]
    fixed_attributes: Mapping[str, str]
    roles: frozenset[str]
    now: datetime
    is_new_active: bool
    zone: str
    clears: bool
    digest_key: bytes | None = None
    usual: Usual = Usual()

    @property
    def targets(self) -> frozenset[str]:
        """The fields that get a value."""
        return frozenset({cell.target for cell in self.cells if not cell.is_attribute} | set(self.fixed))


@dataclass(frozen=True)
class RawLines:
    """Whole lines of a file in UTF-8, each a record: `count` of them, from the file's line `first` on."""

    data: bytes
    first: int
    count: int
    columns: int
    delimiter: str
    quote: str


# So many connections share the work on a file's rows.
AT_ONCE = 2
Piece = TypeVar("Piece")


class Load(Protocol):
    """The way pieces of a file come into a raw table: gives back those that were not loaded, in any order.

    The lines of a piece are asked for when its turn comes, by whichever thread loads it.
    """

    def __call__(self, pieces: Iterator[Piece], lines_of: Callable[[Piece], RawLines], /) -> list[Piece]: ...


class Reject(NamedTuple):
    """One row that could not be used."""

    line: int
    column: str
    code: str
    params: Mapping[str, object]
    cells: Sequence[str]


@dataclass(frozen=True)
class Overruled:
    """People who are out by one of their rows and not by their last: how many, and the first addresses."""

    count: int = 0
    examples: Sequence[str] = ()


class Judged(NamedTuple):
    """What a preview has kept for the merge: how many different addresses it judged, and of whom it says so.

    `leaves_new`: of all but those who are new to the list, for there nearly all are; otherwise of all but
    those who stay as they are.
    """

    addresses: int
    leaves_new: bool


@dataclass(frozen=True)
class Plan:
    """What a merge does: everything but the rows themselves."""

    change_id: int
    account_id: int
    group_id: int
    mode: Mode
    # An empty cell of a given field keeps the old value, or clears it.
    clears: bool
    # Whether a row may say of an attribute that it has no value, as null: those of a file that clears.
    nulls: bool
    # The fields that the source gives; all others keep their values.
    fields: frozenset[str]
    now: datetime
    # Make unsubscribed, unconfirmed and bounced people active where the rows say so.
    reactivate: bool = False
    # Another group whose opt-outs win over the rows (where a restored snapshot came from).
    source_group_id: int | None = None
    # What the preview has kept, while that holds: nothing it looked at has changed.
    judged: Judged | None = None


@dataclass(frozen=True)
class Verdicts:
    """How a plan's rows fall out. added + updated + unchanged + kept_safe = distinct addresses."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    kept_safe: int = 0
    deactivated: int = 0
    deleted: int = 0
    # Recipients by status before and after: {"active": -3, …}, for the counts kept on the group.
    shift: Mapping[str, int] | None = None
    # As in `Judged`, for the merge.
    leaves_new: bool = False

    @property
    def addresses(self) -> int:
        """How many different addresses were judged."""
        return self.added + self.updated + self.unchanged + self.kept_safe


@dataclass(frozen=True)
class KeptSafe:
    """One row whose consent stays lower than the source says, and why."""

    line: int
    email: str
    why: str  # blocked | unsubscribed | bounced | unconfirmed


class BulkEngine(ABC):
    """All statements that touch many recipients. Callers hold the transaction and the group's lock."""

    @abstractmethod
    def stage(self, change_id: int, *, rows: Sequence[Stage]) -> None:
        """Append rows to the staging table."""

    @abstractmethod
    def stage_ready(self, change_id: int, *, rows: Sequence[tuple[object, ...]]) -> None:
        """The same for tuples that hold times as text in UTC without a zone, and JSON as text."""

    def stage_columns(
        self, change_id: int, *, given: Mapping[str, Sequence[object]], same: Mapping[str, object]
    ) -> None:
        """The same for columns: `given` hold a value for each row, `same` one for all of them."""
        columns = [given[name] if name in given else itertools.repeat(same[name]) for name in Stage._fields]
        self.stage_ready(change_id, rows=list(zip(*columns, strict=False)))

    @abstractmethod
    def stage_rejects(self, change_id: int, *, rejects: Sequence[Reject]) -> None:
        """Append rejected rows."""

    # Rows of a file as they come: see `plain`

    # Whether the database reads plain rows by itself; the following are for those that do.
    reads_raw = False

    def open_raw(self, change_id: int, *, columns: int) -> None:
        """Make the change's raw table, for cells of so many columns."""
        raise NotImplementedError

    def loading(self, change_id: int) -> AbstractContextManager[Load]:
        """The way whole lines come into the change's raw table.

        Of a piece nothing is loaded when its lines are not one row of that width each.
        """
        raise NotImplementedError

    def usual(self, change_id: int, *, reading: Reading) -> Usual:
        """What many of the rows in the change's raw table have in common."""
        raise NotImplementedError

    def unasked(self, change_id: int, *, cell: Cell, reading: Reading, most: int) -> list[str]:
        """The different cells of a column that the check has to be asked for; [] when there are more."""
        raise NotImplementedError

    def part(self, change_id: int, *, reading: Reading, columns: int) -> int:
        """Put the odd rows aside; the others are staged from now on, the last line of each address.

        How many rows there are now, odd ones included. `columns`: of the raw table.
        """
        raise NotImplementedError

    def odd_rows(self, change_id: int, *, after: int, most: int) -> list[tuple[int, list[str]]]:
        """The first odd rows behind line `after`, with their cells, by line."""
        raise NotImplementedError

    def settle(self, change_id: int) -> int:
        """Put rows that were checked beside the plain ones, the last line of each address alone.

        The raw table goes. How many were left out, since a later line has the same address.
        """
        raise NotImplementedError

    @abstractmethod
    def overruled(self, change_id: int, *, most: int, reading: Reading | None = None) -> Overruled:
        """Who is out by one staged row and not by their last; of examples there are so many at most.

        `reading`: of the raw table, while rows that were checked are not put beside the plain ones yet.
        """

    @abstractmethod
    def open_copytext(self, change_id: int) -> None:
        """Prepare for `stage_copytext`, which is faster when this was committed before it."""

    @abstractmethod
    def stage_copytext(
        self, change_id: int, *, stream: BinaryIO, rows: int, digest_key: bytes | None = None
    ) -> int:
        """Stage all rows of an archive's stream (see `copytext`), numbered from 1; how many.

        `rows` is how many there should be. With `digest_key` each address gets its hash, for accounts that
        know erased people. What reading the stream raises is raised.
        """

    @abstractmethod
    def make_ready(self, plan: Plan) -> None:
        """Make staged rows ready for `preview`, which is faster when this was committed before it."""

    @abstractmethod
    def preview(self, plan: Plan, *, most_kept_safe: int) -> tuple[Verdicts, list[KeptSafe]]:
        """What `merge` would do now, without doing it, and the first rows that stay safe, by line."""

    @abstractmethod
    def merge(self, plan: Plan) -> Verdicts:
        """Apply the staged rows to the group. Raises nothing of its own; the caller's transaction decides."""

    @abstractmethod
    def dump(self, group_id: int, *, sink: Sink) -> None:
        """Write all recipients of the group as `copytext` lines, by key in byte order."""

    @abstractmethod
    def consistent_read(self) -> AbstractContextManager[None]:
        """A block in which all reads see one moment, without keeping writers out longer than needed."""

    # Rows that one transaction removes: somebody may wait behind it.
    removes_at_once: int

    @abstractmethod
    def remove_batch(self, group_id: int, *, most: int, after: str = "") -> tuple[int, str]:
        """Remove up to `most` recipients of the group with their activities, from behind the key `after` on.

        How many went, and the key of the last of them. Unsubscribed and bounced ones leave an opt-out
        behind.
        """

    @abstractmethod
    def drop_attribute(self, group_id: int, *, name: str) -> None:
        """Remove an attribute's value from every recipient of the group."""

    @abstractmethod
    def clear(self, change_id: int) -> None:
        """Remove all that is staged for a change. What somebody is using stays, for the sweep."""

    @abstractmethod
    def owners(self) -> list[int]:
        """The ids of the changes that have tables of their own."""

    @abstractmethod
    def staged(self, change_id: int, *, addresses: int | None = None) -> int:
        """How many rows are staged. `addresses`: how many different ones they have, where that is known."""

    @abstractmethod
    def domains(self, change_id: int, *, among: Sequence[str]) -> list[tuple[str, int]]:
        """Which of these domains staged addresses have, and how many, the most frequent first."""

    @abstractmethod
    def moved(self, plan: Plan, *, most: int) -> tuple[int, list[tuple[str, str]]]:
        """Whom the staged rows take out by an address that they do not have any more, and who stay, since
        they are in the group under another: how many, and the first ones, old address and new.
        """

    @abstractmethod
    def left_elsewhere(self, change_id: int, *, account_id: int) -> int:
        """How many of those whom staged rows let get mail have left a list of the account."""

    @abstractmethod
    def holds_anybody(self, group_id: int) -> bool:
        """Whether there is a recipient in a list."""

    @abstractmethod
    def follow_opt_outs(self, group_id: int) -> None:
        """Who has unsubscribed with an address has done so with those it was changed from, too."""

    @abstractmethod
    def judged(self, change_id: int) -> int | None:
        """How many addresses the preview judged; None when it kept nothing of that."""

    @abstractmethod
    def execute(
        self, statement: str, parameters: Iterable[object] | Mapping[str, object]
    ) -> list[tuple[object, ...]]:
        """Run one statement and give its rows, if it has any."""
