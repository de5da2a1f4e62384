"""What people fill in on the way of an import: the upload, how it is read, and how it is merged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, BinaryIO

from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.forms import BoundField
from django.template.defaultfilters import filesizeformat
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from backupsvc.accounts.models import Account
from backupsvc.accounts.widgets import LongSelect
from recipients.actions.imports import pasted
from recipients.addresses import one_a_line
from recipients.forms.days import in_full
from recipients.imports.dialect import ENCODINGS, Dialect
from recipients.imports.survey import COMMA, DAY, MONTH, POINT, UNKNOWN, Reading, Survey
from recipients.models import ADDING, PASTED_NAME, Blank, Change, Group, Import, Mode, Status
from recipients.selectors import groups_of

NAME_LENGTH = 255
# Where new recipients have a meaning; a new list has nobody to update, unsubscribe or delete.
DANGEROUS = (Mode.DEACTIVATE, Mode.DELETE)

MODE_LINES: dict[str, str | Promise] = {
    Mode.REFORM_AND_ADD: _("Updates recipients that are already in the list, adds those that are missing."),
    Mode.ADD_ONLY: _("Adds those that are missing. Recipients that are already in the list stay untouched."),
    Mode.UPDATE_ONLY: _("Updates recipients that are already in the list. Adds nobody."),
    Mode.DEACTIVATE: _(
        "Unsubscribes the recipients in the file. They stay in the list, but get no mail. Whoever is not in"
        " the list is remembered: no import and no restore makes them active by itself."
    ),
    Mode.DELETE: _("Removes the recipients in the file from the list, with their history."),
}


class UploadForm(forms.Form):
    """A file or pasted text, and the list it goes into."""

    NEW, EXISTING = "new", "existing"

    target = forms.ChoiceField(choices=[(NEW, _("A new list")), (EXISTING, _("A list I have"))], initial=NEW)
    name = forms.CharField(
        label=_("Name of the new list"),
        max_length=NAME_LENGTH,
        required=False,
        help_text=_("Left empty, the list is called like the file."),
    )
    group = forms.ModelChoiceField(
        label=_("List"),
        queryset=Group.objects.none(),
        required=False,
        empty_label=_("Choose a list"),
        widget=LongSelect,
    )
    text = forms.CharField(
        label=_("Addresses"),
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 7, "spellcheck": "false", "class": "import-paste"}),
        help_text=_("One recipient a line. Cells copied from a spreadsheet are fine, with or without names."),
    )
    file = forms.FileField(
        label=_("File"),
        required=False,
        allow_empty_file=True,  # said by the action, in its own words
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,.tsv,.xlsx,.ods,.xlsb,.xls,text/csv,text/plain"}),
    )

    def __init__(self, account: Account, *, group: Group | None = None, **given: Any) -> None:
        super().__init__(initial={"target": self.EXISTING if group else self.NEW, "group": group}, **given)
        self.fields["group"].queryset = groups_of(account)  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """One source, one target."""
        wish = super().clean() or self.cleaned_data
        file, text = wish.get("file"), (wish.get("text") or "").strip()
        if file and text:
            self.add_error("file", gettext("Choose a file or paste addresses, not both."))
        elif file is None and not text and "file" not in self.errors:
            self.add_error("file", gettext("Choose a file, or paste addresses below."))
        if wish.get("target") == self.EXISTING and "group" not in self.errors and wish.get("group") is None:
            self.add_error("group", gettext("Choose the list."))
        return wish

    def refuse_size(self) -> None:
        """The upload was cut off at the limit."""
        limit = filesizeformat(settings.UPLOAD_LIMIT_BYTES)
        self.refuse(gettext("The file is larger than %(limit)s. Split it into parts.") % {"limit": limit})

    def refuse(self, reason: str) -> None:
        """The upload did not arrive: nothing else is worth saying."""
        self.errors.clear()
        self.add_error("file", reason)

    def wish(self) -> dict[str, Any]:
        """The arguments of `start_import`."""
        wish = self.cleaned_data
        upload: UploadedFile[Any] | None = wish["file"]
        source: BinaryIO = upload if upload is not None else pasted(one_a_line(wish["text"]))  # type: ignore[assignment]
        is_new = wish["target"] == self.NEW
        return {
            "file": source,
            "file_name": (upload.name if upload else None) or PASTED_NAME,
            "group": None if is_new else wish["group"],
            "new_group_name": (wish["name"].strip() or self._name_of_file(upload)) if is_new else "",
        }

    def _name_of_file(self, upload: UploadedFile[Any] | None) -> str:
        """A name for the new list; shown in the form, in case it is taken."""
        stem = PurePath(upload.name or "").stem if upload else ""
        name = " ".join(stem.replace("_", " ").split())[:NAME_LENGTH] or gettext("New list")
        self.data = dict(self.data.items()) | {"name": name}
        return name


ENCODING_NAMES: dict[str, str | Promise] = {
    "utf-8": _("UTF-8 (today's usual one)"),
    "utf-8-sig": _("UTF-8 with byte order mark"),
    "utf-16": _("UTF-16 (Excel's Unicode text)"),
    "cp1252": _("Windows, Western Europe (cp1252)"),
    "iso-8859-1": _("Latin 1, Western Europe"),
    "iso-8859-15": _("Latin 9, Western Europe with €"),
    "mac_roman": _("Mac, Western Europe"),
    "cp1250": _("Windows, Central Europe (cp1250)"),
    "cp1251": _("Windows, Cyrillic (cp1251)"),
    "cp1253": _("Windows, Greek (cp1253)"),
    "cp1254": _("Windows, Turkish (cp1254)"),
}
DELIMITERS: dict[str, str | Promise] = {
    ",": _("Comma ( , )"),
    ";": _("Semicolon ( ; )"),
    "\t": _("Tab"),
    "|": _("Vertical bar ( | )"),
    ":": _("Colon ( : )"),
    " ": _("Space"),
    "": _("None: one column"),
}
QUOTES: dict[str, str | Promise] = {'"': '"', "'": "'", "": _("None")}


class ReadForm(forms.Form):
    """How a file is read. Only what a person changes overrides what was found out."""

    encoding = forms.ChoiceField(label=_("Encoding"))
    delimiter = forms.ChoiceField(label=_("Columns are separated by"))
    quote = forms.ChoiceField(label=_("Quotation mark"))
    sheet = forms.ChoiceField(label=_("Sheet"))
    header = forms.ChoiceField(
        label=_("First line"),
        choices=[("yes", _("Holds the column names")), ("no", _("Is a recipient already"))],
    )
    first_line = forms.IntegerField(
        label=_("Starts at line"), min_value=1, max_value=1_000_000, widget=forms.NumberInput
    )

    def __init__(self, run: Import, **given: Any) -> None:
        self.dialect = Dialect.from_json(run.dialect["dialect"])
        self.overrides = run.dialect_overrides
        super().__init__(initial=_spelled(self.dialect), **given)
        if self.dialect.kind == "spreadsheet":
            for name in ("encoding", "delimiter", "quote"):
                del self.fields[name]
            sheets = run.dialect.get("sheets") or [self.dialect.sheet]
            self._offer("sheet", [(sheet, sheet) for sheet in sheets])
            return
        del self.fields["sheet"]
        self._offer("encoding", [(name, ENCODING_NAMES.get(name, name)) for name in _encodings()])
        marks = DELIMITERS | {
            self.dialect.delimiter: DELIMITERS.get(self.dialect.delimiter, self.dialect.delimiter)
        }
        self._offer("delimiter", [(_token(mark), name) for mark, name in marks.items()])
        self._offer("quote", [(_token(mark), name) for mark, name in QUOTES.items()])

    def _offer(self, name: str, choices: Iterable[tuple[str, str | Promise]]) -> None:
        self.fields[name].choices = list(choices)  # type: ignore[attr-defined]

    def changed(self) -> dict[str, object]:
        """The overrides with what is new; empty when nothing was ever changed."""
        spelled = _spelled(self.dialect)
        new = {name: value for name, value in self.cleaned_data.items() if value != spelled[name]}
        overrides: dict[str, object] = self.overrides
        return overrides | {name: _meant(name, value) for name, value in new.items()}


def _spelled(dialect: Dialect) -> dict[str, Any]:
    """The dialect as the form's fields spell it."""
    return {
        "encoding": dialect.encoding,
        "delimiter": _token(dialect.delimiter),
        "quote": _token(dialect.quote),
        "sheet": dialect.sheet,
        "header": "yes" if dialect.header else "no",
        "first_line": dialect.first_line,
    }


def _meant(name: str, value: Any) -> object:
    if name in ("delimiter", "quote"):
        return bytes.fromhex(value.removeprefix("x")).decode()
    return value == "yes" if name == "header" else value


def _token(mark: str) -> str:
    """A tab or nothing at all as the value of an option."""
    return "x" + mark.encode().hex()


def _encodings() -> list[str]:
    """Those with a name people know, then the rest."""
    return sorted(ENCODINGS, key=lambda name: name not in ENCODING_NAMES)


ORDER_MISSING: dict[str, Any] = {
    "dates": _("Choose what comes first. Nothing in the column says it."),
    "numbers": _("Choose which mark stands before the fraction. Nothing in the column says it."),
}
ORDER_NAMES: dict[str, str | Promise] = {
    DAY: _("The day comes first"),
    MONTH: _("The month comes first"),
    POINT: _("The point stands before the fraction"),
    COMMA: _("The comma stands before the fraction"),
}


@dataclass(frozen=True)
class Spelling:
    """A column of dates or numbers on the page: how it is read, and the choice, if there is one."""

    reading: Reading
    field: BoundField | None

    @property
    def options(self) -> list[tuple[str, str | Promise, str, str, bool]]:
        """Each way to read it: value, name, a cell, what the cell is then, whether it is chosen."""
        chosen = str(self.field.value() or "") if self.field else ""
        cell, *meanings = self.reading.examples[0]
        return [
            (choice, ORDER_NAMES[choice], cell, _shown(meaning), choice == chosen)
            for choice, meaning in zip(self.reading.choices, meanings, strict=True)
        ]

    @property
    def example(self) -> tuple[str, str]:
        """A cell, and what it is read as, where there is nothing to choose."""
        cell, meaning, _other = self.reading.examples[0]
        return cell, _shown(meaning)


@dataclass(frozen=True)
class StatusWord:
    """A word of the file, how often it is there, and the status it means: "" for none."""

    text: str
    count: int
    status: str | Promise
    is_unknown: bool


@dataclass(frozen=True)
class StatusWords:
    """A column of words for a status."""

    header: str
    words: list[StatusWord]


def _word(text: str, meaning: str, count: str) -> StatusWord:
    is_unknown = meaning == UNKNOWN
    return StatusWord(
        text, int(count), "" if is_unknown or not meaning else Status(meaning).label, is_unknown
    )


def _shown(meaning: str) -> str:
    """A date in full, so that nobody takes its day for its month; a number in its parts, without a mark."""
    try:
        return in_full(meaning)
    except ValueError:
        whole, _point, fraction = meaning.partition(".")
        if fraction:
            parts = {"whole": whole, "fraction": fraction}
            return gettext("%(whole)s with the fraction %(fraction)s") % parts
        return gettext("%(whole)s without a fraction") % {"whole": whole}


class ModeForm(forms.Form):
    """How the rows are merged into the list, and how cells that can be meant in two ways are read."""

    mode = forms.ChoiceField()
    blank = forms.ChoiceField(choices=Blank.choices)
    new_status = forms.ChoiceField(
        choices=[(Status.ACTIVE, Status.ACTIVE.label), (Status.UNCONFIRMED, Status.UNCONFIRMED.label)],
        required=False,
    )

    def __init__(self, run: Import, **given: Any) -> None:
        change = run.change
        self.modes = list(Mode) if change.group_id else list(ADDING)
        initial = {
            "mode": change.mode if change.mode in self.modes else Mode.REFORM_AND_ADD,
            "blank": change.blank,
            "new_status": run.new_status,
        }
        super().__init__(initial=initial, **given)
        # What was said of the same columns before is chosen already, where the column leaves it open.
        before = run.dialect.get("remembered", {}).get("orders", {})
        orders = run.dialect.get("orders", {})
        self.survey = Survey.from_json(run.dialect.get("survey", {}))
        for reading in self.survey.readings:
            if reading.choices:
                self.fields[f"order-{reading.index}"] = forms.ChoiceField(
                    choices=[(choice, choice) for choice in reading.choices],
                    initial=orders.get(str(reading.index))
                    or reading.choice
                    or before.get(str(reading.index)),
                    # What the column says itself needs no answer.
                    required=reading.is_open,
                    error_messages={"required": ORDER_MISSING[reading.kind]},
                )
        self.fields["mode"].choices = [(mode.value, mode.label) for mode in self.modes]  # type: ignore[attr-defined]
        self.asks_status = leaves_status_open(change)

    def clean(self) -> dict[str, Any]:
        """Whether new recipients may get mail is a person's decision: there is no default."""
        wish = super().clean() or self.cleaned_data
        if self.asks_status and wish.get("mode") in ADDING and not wish.get("new_status"):
            self.add_error("new_status", gettext("Choose what new recipients become."))
        return wish

    def orders(self) -> dict[str, str]:
        """How the columns that can be meant in two ways are meant, by their number."""
        return {
            name.removeprefix("order-"): value
            for name, value in self.cleaned_data.items()
            if name.startswith("order-") and value
        }

    def spelled(self) -> list[Spelling]:
        """The columns of dates and numbers that are read by what most of their cells say, or a person."""
        return [
            Spelling(reading, self[f"order-{reading.index}"] if reading.choices else None)
            for reading in self.survey.readings
            if reading.kind != "words"
        ]

    def words(self) -> list[StatusWords]:
        """The columns of words for a status."""
        return [
            StatusWords(reading.header, [_word(*example) for example in reading.examples])
            for reading in self.survey.readings
            if reading.kind == "words"
        ]

    @property
    def choices(self) -> list[tuple[Mode, str | Promise, bool]]:
        """Each mode, the line under it, and whether it takes people away."""
        return [(mode, MODE_LINES[mode], mode in DANGEROUS) for mode in self.modes]


def leaves_status_open(change: Change) -> bool:
    """Whether the file says nothing about who has confirmed."""
    return not {"status", "activated"} & set(change.fields)
