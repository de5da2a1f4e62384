"""The rows of an upload on their way into staging: read, checked, or left to the database to read."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar, cast

from django.db import transaction

from backupsvc.errors import Refusal
from backupsvc.jobs.runner import Claim
from recipients.actions.doubts import Noticed
from recipients.addresses import ROLES
from recipients.bulk.base import Cell, Kind, Load, RawLines, Reading, Reject, Stage
from recipients.bulk.engine import engine
from recipients.bulk.plain import FIGURES, MOST_KNOWN, WORDS
from recipients.imports import mapping as maps
from recipients.imports.blocks import Block, BlockCheck
from recipients.imports.check import Rejected, RowCheck, Rules, StagedRow, column_parsers, fixed_values
from recipients.imports.chunks import Chunk, Rest, can_be_cut, cut, header_of
from recipients.imports.dialect import Dialect
from recipients.imports.doubts import EXAMPLES
from recipients.imports.reader import Row, read
from recipients.models import Change

# Rows in one transaction of staging: enough for speed, few enough that progress moves.
BATCH_ROWS = 5_000
# The same for odd ones, which come with all their cells and stay in a worker's memory while they are checked.
ODD_ROWS = 1_000
# The same for rows that are read as columns: larger pieces do not stay in a processor's cache.
PIECE_BYTES = 1 << 19
# So many pieces are loaded in one transaction, in which nobody sees how far they are.
PIECES = 8
Piece = TypeVar("Piece")
TIMES = ("registered", "activated", "deactivated")
# Columns that say who is out.
OUT = {"status", "deactivated"}


class Ended(Exception):
    """The change was ended while its rows were read."""


class Loading:
    """The rows of one upload on their way into staging: how many there are, and what was noticed."""

    def __init__(
        self, change: Change, *, path: Path, dialect: Dialect, rules: Rules, claim: Claim, estimate: int
    ) -> None:
        self.change, self.path, self.claim = change, path, claim
        self.dialect, self.rules, self.estimate = dialect, rules, estimate
        self.check, self.check_block = RowCheck(self.rules), BlockCheck(self.rules)
        self.names: list[str] = []
        # Of the plain rows that the database reads by itself, those that a later one stands for are repeated.
        self.read = self.rejected = self.loaded = self.repeated = 0
        self.noticed = Noticed()

    def run(self) -> None:
        """Stage all rows. Raises Ended."""
        # What was there before is looked through for garbage once, not again and again, which took a quarter
        # of the time. Frozen without a look, the garbage of each import would outlive the next.
        gc.collect()
        gc.freeze()
        try:
            self._run()
        finally:
            gc.unfreeze()

    def _run(self) -> None:
        reading = self._reading() if engine().reads_raw and can_be_cut(self.dialect) else None
        if reading is not None:
            self._load(reading)
        elif can_be_cut(self.dialect):
            self._stage_pieces()
        else:
            self._stage(read(self.path, dialect=self.dialect))
        if reading is None:
            with transaction.atomic():
                self._guard()
                self._look_for_overruled()

    def _look_for_overruled(self, *, reading: Reading | None = None) -> None:
        """Where rows say who is out: the last one of a person counts, but not without a word."""
        if OUT & set(self.rules.mapping.columns):
            self.noticed.overruled = engine().overruled(self.change.pk, most=EXAMPLES, reading=reading)

    def _stage_pieces(self) -> None:
        """Take sound pieces of the file as columns, which are read and checked without a look at each row."""
        names = header_of(self.path, dialect=self.dialect)
        for piece in cut(self.path, dialect=self.dialect, size=PIECE_BYTES):
            columns = piece.columns(names=names) if isinstance(piece, Chunk) else None
            if columns is None:
                self._stage(piece.rows(names=names))
            else:
                lines = range(piece.first_line, piece.first_line + len(columns[0]))
                self._put(self.check_block.columns(lines, columns), read=len(lines))

    def _stage(self, rows: Iterator[Row]) -> None:
        """Check rows: many at once what is plain, one by one what is odd."""
        while block := list(islice(rows, BATCH_ROWS)):
            self._put(self.check_block(block), read=len(block))

    def _put(self, block: Block, *, read: int) -> None:
        """Stage a block of so many rows: those that are ready, and those that are odd after their check."""
        chunk = [self.check(row) for row in block.odd]
        good = [stage_row(row, bounced_at=self.rules.now) for row in chunk if isinstance(row, StagedRow)]
        bad = [_reject(row) for row in chunk if isinstance(row, Rejected)]
        for row in chunk:
            self.noticed.note(row)
        with transaction.atomic():
            self._guard()
            if block.given:
                engine().stage_columns(self.change.pk, given=block.given, same=block.same)
            engine().stage(self.change.pk, rows=good)
            engine().stage_rejects(self.change.pk, rejects=bad)
            # Seen when this commits, at once: a commit of its own cost as much again.
            self._count(read=read, rejected=len(bad))

    def _guard(self) -> None:
        """Check the fence, and that somebody still wants the rows. Raises LeaseLost, Ended."""
        self.claim.guard()
        if not Change.objects.filter(pk=self.change.pk, ended_at=None).exists():
            raise Ended

    def _count(self, *, read: int, rejected: int = 0) -> None:
        self.read, self.rejected = self.read + read, self.rejected + rejected
        self.claim.progress(done=self.read, total=max(self.read, self.estimate), step="read")

    # The short way: the database reads what is plain

    def _load(self, reading: Reading) -> None:
        """Load the file as it is, and check only the rows that are not plain."""
        change_id = self.change.pk
        self.names = header_of(self.path, dialect=self.dialect)
        with transaction.atomic():
            self._guard()
            engine().open_raw(change_id, columns=self.dialect.columns)
        with engine().loading(change_id) as load:
            pieces = ahead(cut(self.path, dialect=self.dialect))
            while self._load_pieces(islice(pieces, PIECES), load=load):
                pass
        with transaction.atomic():
            self._guard()
            reading = self._asked(replace(reading, usual=engine().usual(change_id, reading=reading)))
            kept = engine().part(change_id, reading=reading, columns=self.dialect.columns)
        self.repeated = self.loaded - kept
        self._stage_odd()
        with transaction.atomic():
            self._guard()
            self._look_for_overruled(reading=reading)
            self.repeated += engine().settle(change_id)

    def _load_pieces(self, pieces: Iterator[Chunk | Rest], *, load: Load) -> bool:
        """Load the pieces up to one that is not sound, and read what cannot be loaded with care.

        Whether there were any.
        """
        lines, odd = 0, list[Chunk | Rest]()

        def sound() -> Iterator[Chunk]:
            nonlocal lines
            for piece in pieces:
                if not (isinstance(piece, Chunk) and piece.is_sound):
                    odd.append(piece)
                    return
                lines += piece.lines
                yield piece

        with transaction.atomic():
            # Held until all of them are loaded: nobody else can begin with this file meanwhile.
            self._guard()
            refused = load(sound(), self._lines)
        loaded = lines - sum(piece.lines for piece in refused)
        self.loaded += loaded
        if loaded:
            self._count(read=loaded)
        for piece in (*refused, *odd):
            self._stage(piece.rows(names=self.names))
        return bool(lines or odd)

    def _lines(self, chunk: Chunk) -> RawLines:
        return RawLines(
            data=chunk.utf8,
            first=chunk.first_line,
            count=chunk.lines,
            columns=self.dialect.columns,
            delimiter=self.dialect.delimiter,
            quote=self.dialect.quote,
        )

    def _stage_odd(self) -> None:
        after = 0
        while found := self._odd_rows(after=after):
            after = found[-1][0]
            # They were counted when they were loaded; rows without any cell are none.
            self.read -= len(found)
            self._stage(self._row(line, cells) for line, cells in found if any(cells))

    def _odd_rows(self, *, after: int) -> list[tuple[int, list[str]]]:
        with transaction.atomic():
            self._guard()
            return engine().odd_rows(self.change.pk, after=after, most=ODD_ROWS)

    def _row(self, line: int, cells: list[str]) -> Row:
        # The one thing that `records` says of a row by its cells alone, in lines that are sound.
        problem = Refusal("row.header_again") if cells == self.names else None
        return Row(line, cells, problem)

    def _reading(self) -> Reading | None:
        """How the database is to read plain rows; None where it cannot."""
        rules, columns = self.rules, self.rules.mapping.columns
        fixed, fixed_attributes = fixed_values(rules)
        values = {name: value for name, value in fixed_attributes.items() if value is not None}
        is_told_twice = len(set(columns) - {""}) < sum(map(bool, columns))
        is_strange = len(values) < len(fixed_attributes) or any(value is True for value in fixed.values())
        has_zones = any(
            target in TIMES and rules.zone_of(index) != rules.zone for index, target in enumerate(columns)
        )
        if rules.unescape or is_told_twice or is_strange or has_zones:
            return None
        types = {spec.name: spec.type for spec in (*rules.attributes, *rules.mapping.new)}
        key = self.change.account.digest_key
        return Reading(
            cells=[
                _cell(index, target, types=types, decimal=rules.decimal.get(index))
                for index, target in enumerate(columns)
                if target
            ],
            fixed=fixed,
            fixed_attributes=values,
            roles=ROLES,
            now=rules.now,
            is_new_active=rules.new_status == "active",
            zone=rules.zone,
            clears=rules.blank == "clear",
            digest_key=bytes.fromhex(key) if rules.digest else None,
        )

    def _asked(self, reading: Reading) -> Reading:
        """The reading with what the check says of the cells that the database cannot read by itself."""
        parsers = column_parsers(self.rules)
        cells = []
        for cell in reading.cells:
            known: dict[str, object] = {}
            if cell.kind in WORDS | FIGURES:
                unasked = engine().unasked(self.change.pk, cell=cell, reading=reading, most=MOST_KNOWN)
                for text in unasked:
                    with suppress(Refusal):
                        value = parsers[cell.index](text)
                        # A yes without a time means another thing in each row.
                        if value is not True:
                            known[text] = value.isoformat() if isinstance(value, datetime) else value
            cells.append(replace(cell, known=known))
        return replace(reading, cells=cells)


def ahead(pieces: Iterator[Piece]) -> Iterator[Piece]:
    """The same pieces, each cut while the one before is loaded."""
    with ThreadPoolExecutor(max_workers=1) as cutter:
        coming = cutter.submit(next, pieces, None)
        while (piece := coming.result()) is not None:
            coming = cutter.submit(next, pieces, None)
            yield piece


def _cell(index: int, target: str, *, types: Mapping[str, maps.AttributeType], decimal: str | None) -> Cell:
    if target.startswith(maps.ATTRIBUTE):
        name = target.removeprefix(maps.ATTRIBUTE)
        return Cell(index, name, cast("Kind", types[name]), is_attribute=True, decimal=decimal)
    kind = "time" if target in TIMES else target
    return Cell(index, target, cast("Kind", kind))


def stage_row(row: StagedRow, *, bounced_at: Any) -> Stage:
    """A checked row as the engine stages it; who bounced did so `bounced_at`."""
    return Stage(
        line=row.line,
        key=row.key,
        email=row.email,
        domain=row.domain,
        digest=row.digest,
        registered=row.registered,
        activated=row.activated,
        deactivated=row.deactivated,
        bounced=bounced_at if row.bounced else None,
        says_status=row.bounced is not None,
        source=row.source,
        signup_ip=row.signup_ip,
        tags=row.tags,
        attributes=row.attributes,
    )


def _reject(row: Rejected) -> Reject:
    problem = row.problem
    return Reject(row.line, row.column, problem.code, problem.params, row.cells)
