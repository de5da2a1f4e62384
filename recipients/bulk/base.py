"""The contract of the bulk engine: set-based work on one group, the same on every database."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, NamedTuple, Protocol

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


class Reject(NamedTuple):
    """One row that could not be used."""

    line: int
    column: str
    code: str
    params: Mapping[str, object]
    cells: Sequence[str]


class Sink(Protocol):
    """Where a dump goes."""

    def write(self, data: bytes, /) -> object: ...


@dataclass(frozen=True)
class Plan:
    """What a merge does: everything but the rows themselves."""

    change_id: int
    account_id: int
    group_id: int
    mode: Mode
    # An empty cell of a given field keeps the old value, or clears it.
    clears: bool
    # The fields that the source gives; all others keep their values.
    fields: frozenset[str]
    now: datetime
    # Make unsubscribed, unconfirmed and bounced people active where the rows say so.
    reactivate: bool = False
    # Another group whose opt-outs win over the rows (where a restored snapshot came from).
    source_group_id: int | None = None


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
    def stage_rejects(self, change_id: int, *, rejects: Sequence[Reject]) -> None:
        """Append rejected rows."""

    @abstractmethod
    def stage_copytext(self, change_id: int, *, stream: BinaryIO) -> int:
        """Stage all rows of an archive's stream (see `copytext`), numbered from 1; how many."""

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

    @abstractmethod
    def remove_batch(self, group_id: int, *, most: int) -> int:
        """Remove up to `most` recipients of the group with their activities; how many went.

        Unsubscribed and bounced ones leave an opt-out behind.
        """

    @abstractmethod
    def drop_attribute(self, group_id: int, *, name: str) -> None:
        """Remove an attribute's value from every recipient of the group."""

    def clear(self, change_id: int) -> None:
        """Empty the staging table of a change."""
        self.execute("DELETE FROM recipients_stagedrow WHERE change_id = %s", [change_id])

    @abstractmethod
    def set_digests(self, change_id: int, *, digest: Callable[[str], str]) -> None:
        """Fill in the hashes of staged addresses, for accounts that know erased people."""

    def staged(self, change_id: int) -> tuple[int, int]:
        """How many rows are staged, and how many different addresses they have."""
        rows = self.execute(
            "SELECT count(*), count(DISTINCT key) FROM recipients_stagedrow WHERE change_id = %s", [change_id]
        )
        return int(str(rows[0][0])), int(str(rows[0][1]))

    @abstractmethod
    def execute(
        self, statement: str, parameters: Iterable[object] | Mapping[str, object]
    ) -> list[tuple[object, ...]]:
        """Run one statement and give its rows, if it has any."""
