"""Which column of a file becomes what: a form with a line for each column."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django import forms
from django.forms import BoundField
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from backupsvc.errors import Refusal
from backupsvc.wording import say
from recipients.imports import mapping as maps
from recipients.imports.check import RowCheck, Rules
from recipients.imports.columns import FIELDS
from recipients.models import AttributeType, Import
from recipients.values import SAFE_MARKER

NEW = "new"
SHOWN_SAMPLES = 3

FIELD_NAMES: dict[str, str | Promise] = {
    "email": _("E-mail address"),
    "status": _("Status (active, unsubscribed …)"),
    "registered": _("Registered on"),
    "activated": _("Activated on"),
    "deactivated": _("Unsubscribed on"),
    "source": _("Source"),
    "signup_ip": _("Sign-up IP address"),
    "tags": _("Tags"),
}
SIGNUP = FIELDS[1:]

Choices = list[tuple[str | Promise, Any]]


@dataclass(frozen=True)
class Line:
    """One column of the file on the page."""

    number: int
    header: str
    samples: list[str]
    target: BoundField
    name: BoundField
    type: BoundField
    # The last column of our own spreadsheet files: it is for us, not for the list.
    is_marker: bool


class MappingForm(forms.Form):
    """`column-3` says what the fourth column becomes; `name-3` and `type-3` describe a new field."""

    leave_signup_out = forms.BooleanField(
        label=_("This is on purpose: these columns say nothing of who is out"), required=False
    )
    fixed_target = forms.ChoiceField(label=_("Field"), required=False)
    fixed_value = forms.CharField(label=_("Value for everybody"), required=False, max_length=1000)

    def __init__(
        self,
        run: Import,
        *,
        specs: list[maps.AttributeSpec],
        mapping: maps.Mapping | None = None,
        **given: Any,
    ) -> None:
        super().__init__(**given)
        self.run, self.specs = run, specs
        self.mapping = mapping or maps.Mapping.from_json(run.mapping)
        choices = self._choices()
        for index, header in enumerate(run.headers):
            self._add_column(index, header=header, choices=choices)
        others = [choice for choice in choices if choice[0] not in ("", "email", NEW)]
        self.fields["fixed_target"].choices = [("", _("No fixed value")), *others]  # type: ignore[attr-defined]
        if self.mapping.fixed:
            self.initial["fixed_target"], self.initial["fixed_value"] = self.mapping.fixed[0]
        self.initial["leave_signup_out"] = run.leaves_signup_out

    def _choices(self) -> Choices:
        known: Choices = [(maps.ATTRIBUTE + spec.name, spec.name) for spec in self.specs]
        return [
            ("", _("Do not use")),
            ("email", FIELD_NAMES["email"]),
            *([(_("Fields"), known)] if known else []),
            (_("Sign-up information"), [(field, FIELD_NAMES[field]) for field in SIGNUP]),
            (NEW, _("New field …")),
        ]

    def _add_column(self, index: int, *, header: str, choices: Choices) -> None:
        target = self.mapping.columns[index] if index < len(self.mapping.columns) else ""
        new = {maps.ATTRIBUTE + spec.name: spec for spec in self.mapping.new}
        fresh = new.get(target)
        label = gettext("What the column “%(name)s” becomes") % {"name": header}
        self.fields[f"column-{index}"] = forms.ChoiceField(
            choices=choices, required=False, initial=NEW if fresh else target, label=label
        )
        self.fields[f"name-{index}"] = forms.CharField(
            required=False,
            strip=False,
            max_length=maps.LONGEST_NAME * 2,
            initial=fresh.name if fresh else header[: maps.LONGEST_NAME].strip(),
            label=_("Name of the field"),
        )
        self.fields[f"type-{index}"] = forms.ChoiceField(
            choices=AttributeType.choices,
            required=False,
            initial=fresh.type if fresh else maps.fitting_type(header, cells=self._cells(index)),
            label=_("Type"),
        )

    def _cells(self, index: int) -> list[str]:
        """The filled cells of a column in the sample."""
        sample: list[list[str]] = self.run.dialect.get("sample", [])
        return [row[index] for row in sample if index < len(row) and row[index].strip()]

    def lines(self) -> Iterator[Line]:
        """The columns, with cells that show what is in them."""
        for index, header in enumerate(self.run.headers):
            cells = self._cells(index)
            yield Line(
                number=index + 1,
                header=header,
                samples=list(dict.fromkeys(cells))[:SHOWN_SAMPLES],
                target=self[f"column-{index}"],
                name=self[f"name-{index}"],
                type=self[f"type-{index}"],
                is_marker=self.run.is_spreadsheet_safe and header == SAFE_MARKER,
            )

    def signup_lines(self) -> list[tuple[str | Promise, str]]:
        """Each piece of sign-up information, and the column it comes from ("" for none)."""
        sources = {self[f"column-{n}"].value(): header for n, header in enumerate(self.run.headers)}
        return [(FIELD_NAMES[field], sources.get(field, "")) for field in SIGNUP]

    def clean(self) -> dict[str, Any]:
        """The fixed value has to fit its field, and says so here rather than after all rows were read."""
        wish = super().clean() or self.cleaned_data
        if wish.get("fixed_value", "").strip() and not wish.get("fixed_target"):
            self.add_error("fixed_target", gettext("Choose the field that gets this value."))
        if wish.get("fixed_target") and not self.errors:
            try:
                self._try_fixed()
            except Refusal as refusal:
                self.add_error("fixed_value", say(refusal))
        return wish

    def _try_fixed(self) -> None:
        wish = self.cleaned_data
        # On its own, beside an address: what the columns say is judged by the action.
        alone = maps.Mapping(columns=("email",), fixed=((wish["fixed_target"], wish["fixed_value"]),))
        RowCheck(
            Rules(
                attributes=tuple(self.specs), mapping=alone, blank="keep", new_status=None, now=timezone.now()
            )
        )

    def chosen(self) -> dict[str, Any]:
        """The mapping as `set_mapping` takes it."""
        wish, columns, new = self.cleaned_data, [], []
        for index in range(len(self.run.headers)):
            target = wish.get(f"column-{index}", "")
            if target == NEW:
                name = wish[f"name-{index}"].strip()
                new.append({"name": name, "type": wish[f"type-{index}"] or "text"})
                target = maps.ATTRIBUTE + name
            columns.append(target)
        fixed = [[wish["fixed_target"], wish["fixed_value"]]] if wish["fixed_target"] else []
        return {"columns": columns, "fixed": fixed, "new": new}
