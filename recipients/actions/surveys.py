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
from recipients.imports.survey import Survey, survey
from recipients.models import Import

# Rows that are looked at to tell 3/4 from 4/3, and 1,234 from 1.234.
SURVEYED_ROWS = 20_000


def survey_again(run: Import, *, specs: Sequence[maps.AttributeSpec]) -> Survey:
    """Look at the file by its mapping; what is found is kept on `run.dialect`, which the caller saves.

    `specs` are the fields of the list.
    """
    dialect = Dialect.from_json(run.dialect["dialect"])
    with uploads.local(run.upload) as path:
        found = survey(
            _rows(path, dialect=dialect),
            headers=run.headers,
            mapping=maps.Mapping.from_json(run.mapping),
            attributes=specs,
            is_own=run.is_own,
        )
    run.dialect["survey"] = found.to_json()
    return found


def _rows(path: Path, *, dialect: Dialect) -> Iterator[list[str]]:
    """The cells of the first sound rows. A file that breaks off is surveyed up to there: staging says it."""
    with suppress(Refusal):
        for row in islice(read(path, dialect=dialect), SURVEYED_ROWS):
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
