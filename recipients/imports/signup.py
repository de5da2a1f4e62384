"""Columns that say who signed up or left, and that a mapping leaves out, in whatever row they say it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from typing import Any

from backupsvc.errors import Refusal
from recipients.imports import mapping as maps
from recipients.imports.columns import (
    FIELDS,
    SIGNUP_FIELDS,
    field_of,
    is_long_question,
    is_own_header,
    meaning_of,
)
from recipients.imports.fields import field_parser
from recipients.words import is_out_of_mail, parse_flag, status_word

# So many rows show whether a column whose name tells nothing is one of words about mail.
SHOWING_ROWS = 500


@dataclass
class Voice:
    """What the cells of a column say of consent: how many are filled, how many of them can be what the header
    says, and whether any says that somebody is out."""

    filled: int = 0
    fitting: int = 0
    is_out: bool = False

    @property
    def could_say(self) -> bool:
        """Whether the column may say who is out: one person among words that nobody knows is enough."""
        return self.is_out or self.is_fitting

    @property
    def is_fitting(self) -> bool:
        """Whether most cells can be what the header says."""
        return self.fitting >= maps.MOSTLY * self.filled


Voices = Mapping[int, Voice]


class Listener:
    """Hears what the columns say that may say who is out, row by row. Its voices are by a column's index.

    A column whose name tells nothing is heard on while its cells are words that can be about mail.
    """

    def __init__(self, headers: Sequence[str]) -> None:
        self._judges: dict[int, Callable[[str], tuple[bool, bool]]] = {}
        fields = [_field(header) for header in headers]
        self._nameless = [index for index, field in enumerate(fields) if not field]
        for index, (header, field) in enumerate(zip(headers, fields, strict=True)):
            if field in maps.SEVERAL:
                self._judges[index] = lru_cache(maxsize=10_000)(partial(_judged, field, header))
            elif not field:
                self._judges[index] = lru_cache(maxsize=10_000)(_judged_by_itself)
        self.voices = {index: Voice() for index in self._judges}

    def listen(self, rows: Iterable[Sequence[str]]) -> Iterator[Sequence[str]]:
        """The same rows, each heard."""
        for number, row in enumerate(rows, start=1):
            if number == SHOWING_ROWS:
                self._leave_others()
            for index, judge in self._judges.items():
                if index < len(row) and row[index].strip():
                    voice, (is_fitting, is_out) = self.voices[index], judge(row[index])
                    voice.filled += 1
                    voice.fitting += is_fitting
                    voice.is_out |= is_out
            yield row

    def _leave_others(self) -> None:
        for index in self._nameless:
            if not self.voices[index].is_fitting:
                del self._judges[index]


def voices_in(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> Voices:
    """What is heard in these rows."""
    listener = Listener(headers)
    for _ in listener.listen(rows):
        pass
    return listener.voices


def voices_to_json(voices: Voices) -> dict[str, Any]:
    """The voices as a plain dict, to be stored."""
    return {str(index): asdict(voice) for index, voice in voices.items()}


def voices_from_json(stored: Mapping[str, Any]) -> Voices:
    """The voices that `voices_to_json` stored."""
    return {int(index): Voice(**voice) for index, voice in stored.items()}


def _field(header: str) -> str:
    """The field a header means, be it only by a question; "" for none."""
    means = meaning_of(header)
    return means[0] if means else "status" if is_long_question(header) else ""


def _judged(field: str, header: str, cell: str) -> tuple[bool, bool]:
    """Whether a filled cell can be what the header says, and whether it says that somebody is out.

    A question of a form is one about mail where it is answered with yes or no.
    """
    if meaning_of(header) is None:
        return parse_flag(cell) is not None, False
    return maps.fits(field, header=header, cell=cell), _says_out(field, header=header, cell=cell)


def _judged_by_itself(cell: str) -> tuple[bool, bool]:
    return bool(status_word(cell)), is_out_of_mail(cell)


def _says_out(field: str, *, header: str, cell: str) -> bool:
    """Among other things 0 and 1 are counts."""
    with suppress(Refusal):
        said = field_parser(field, header=header, style=maps.LOOSE)(cell)
        return cell.strip() not in ("0", "1") and said not in (None, "active", "unconfirmed")
    return False


def may_leave_out(headers: Sequence[str], mapping: maps.Mapping) -> bool:
    """Whether a column that may say in any row who is out is left out, or kept as an attribute."""
    fields = map(_field, headers[: _count(headers)])
    return any(
        field in maps.SEVERAL and _is_asked(target, field=field)
        for field, target in zip(fields, mapping.columns, strict=False)
    )


def unmapped_signup(headers: Sequence[str], mapping: maps.Mapping, *, voices: Voices) -> list[str]:
    """Headers that say how people signed up or left, for fields that the mapping leaves out.

    Where several columns can say it, one of them is not enough: each may name people who are out. Only a
    second one, or one with a name of a kind, whose cells say something else is left alone: all of them, for
    one person who is out among words that nobody knows is enough to ask. What is kept as an attribute stops
    no mail: a column that can say who is out is asked about there too, and so is one named like a field that
    would become a new attribute. A column whose name tells nothing is asked about for what its cells say.
    """
    new = {maps.ATTRIBUTE + spec.name for spec in mapping.new}
    left_out = []
    for index, (header, target) in enumerate(zip(headers[: _count(headers)], mapping.columns, strict=False)):
        field, voice = _field(header), voices.get(index, Voice())
        if not field and voice.is_out and voice.is_fitting:
            field = "status"
        if not _is_asked(target, field=field):
            continue
        is_alone = field not in mapping.targets and field_of(header) and _is_left(target, voice, new=new)
        is_told = voice.filled or (target and meaning_of(header))
        if is_alone or (field in maps.SEVERAL and voice.could_say and is_told):
            left_out.append(header)
    return left_out


def _is_left(target: str, voice: Voice, *, new: Set[str]) -> bool:
    return not target or (target in new and voice.filled > 0)


def _count(headers: Sequence[str]) -> int:
    """How many columns may be about signing up: of our own files those that are no attributes."""
    return len(FIELDS) if is_own_header(headers) else len(headers)


def _is_asked(target: str, *, field: str) -> bool:
    """Whether a column of this field is left out by its target, or kept where it stops no mail."""
    if target.startswith(maps.ATTRIBUTE):
        return field in maps.SEVERAL
    return not target and field in SIGNUP_FIELDS
