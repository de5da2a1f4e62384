"""How the cells of an uploaded file are read: what its columns say, and what they leave to a person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

from backupsvc.errors import Refusal
from recipients import uploads
from recipients.imports import mapping as maps
from recipients.imports.dialect import Dialect
from recipients.imports.reader import read
from recipients.imports.signup import (
    Listener,
    Voices,
    may_leave_out,
    unmapped_signup,
    voices_from_json,
    voices_in,
    voices_to_json,
)
from recipients.imports.survey import Survey, survey
from recipients.models import Import

# Rows that are looked at to tell 3/4 from 4/3, and 1,234 from 1.234.
SURVEYED_ROWS = 20_000


def survey_again(run: Import, *, specs: Sequence[maps.AttributeSpec]) -> Survey:
    """Look at the file by its mapping; what is found is kept on `run.dialect`, which the caller saves.

    `specs` are the fields of the list.
    """
    dialect = Dialect.from_json(run.dialect["dialect"])
    listener = Listener(run.headers)
    with uploads.local(run.upload) as path:
        found = survey(
            listener.listen(_rows(path, dialect=dialect, limit=SURVEYED_ROWS)),
            headers=run.headers,
            mapping=maps.Mapping.from_json(run.mapping),
            attributes=specs,
            is_own=run.is_own,
        )
    run.dialect["survey"] = found.to_json()
    # They are the columns' own, whatever these are mapped to; and all rows may have been heard meanwhile.
    run.dialect.setdefault("voices", voices_to_json(listener.voices))
    return found


def _rows(path: Path, *, dialect: Dialect, limit: int | None = None) -> Iterator[list[str]]:
    """The cells of the first sound rows. A file that breaks off is surveyed up to there: staging says it."""
    with suppress(Refusal):
        for row in islice(read(path, dialect=dialect), limit):
            if row.problem is None:
                yield row.cells


def survey_of(run: Import, *, specs: Sequence[maps.AttributeSpec]) -> Survey:
    """What was found; looked up when nobody has assigned the columns since the file was read."""
    kept = run.dialect.get("survey")
    return survey_again(run, specs=specs) if kept is None else Survey.from_json(kept)


def refuse_open_columns(run: Import, *, specs: Sequence[maps.AttributeSpec]) -> None:
    """Raise Refusal for columns that could be meant in two ways, where neither they nor a person says how."""
    still_open = survey_of(run, specs=specs).open_columns(run.dialect.get("orders", {}))
    for kind in ("dates", "numbers"):
        found = [one for one in still_open if one.kind == kind]
        if found:
            names = ", ".join(one.header for one in found)
            raise Refusal(f"import.{kind}_unclear", columns=names, example=found[0].examples[0][0])


def signup_left_out(run: Import, *, mapping: maps.Mapping) -> list[str]:
    """The columns that say, as far as they were heard, how people signed up or left, and are left out."""
    return unmapped_signup(run.headers, mapping, voices=_voices(run))


def hear_all(run: Import, *, mapping: maps.Mapping) -> bool:
    """Read all rows, if a column that the mapping leaves out may say further down who is out; whether it may.

    What is heard is kept on `run.dialect`, which the caller saves.
    """
    if not may_leave_out(run.headers, mapping):
        return False
    with uploads.local(run.upload) as path:
        rows = _rows(path, dialect=Dialect.from_json(run.dialect["dialect"]))
        run.dialect["voices"] = voices_to_json(voices_in(run.headers, rows))
    return True


def _voices(run: Import) -> Voices:
    stored = run.dialect.get("voices")
    if stored is None:
        return voices_in(run.headers, run.dialect.get("sample", []))
    return voices_from_json(stored)
