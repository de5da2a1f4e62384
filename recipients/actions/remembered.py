"""The mapping that was used last for a file with the same column names, to be proposed again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backupsvc.errors import Refusal
from recipients.imports import mapping as maps
from recipients.models import Import
from recipients.selectors import attributes_of


@dataclass(frozen=True)
class Remembered:
    """A mapping that was confirmed, as far as it fits the list, and the import that it is of."""

    mapping: maps.Mapping
    run: Import


def remembered(run: Import, *, specs: Sequence[maps.AttributeSpec]) -> Remembered | None:
    """The mapping of the account's last confirmed import with these column names; None when there is none.

    Fields that the list has not are proposed as new ones, with their type. Values for everybody are not
    proposed again: they were about other people. Columns that only have numbers say nothing.
    """
    if run.is_own or not run.dialect["dialect"]["header"]:
        return None
    runs = Import.objects.filter(
        change__account=run.change.account, change__confirmed_at__isnull=False, headers=run.headers
    )
    last = runs.exclude(pk=run.change.pk).select_related("change__group").order_by("-pk").first()
    if last is None:
        return None
    old = maps.Mapping.from_json(last.mapping)
    types = {spec.name: spec for spec in old.new}
    for attribute in attributes_of(run.change.account, group=last.change.group):
        types.setdefault(attribute.name, maps.AttributeSpec(attribute.name, attribute.type))  # type: ignore[arg-type]
    known = {spec.name for spec in specs}
    columns, new = [], []
    for target in old.columns:
        name = target.removeprefix(maps.ATTRIBUTE) if target.startswith(maps.ATTRIBUTE) else ""
        if name and name not in known:
            if name not in types:
                target = ""
            else:
                new.append(types[name])
        columns.append(target)
    mapping = maps.Mapping(columns=tuple(columns), new=tuple(new))
    try:
        maps.validate(mapping, headers=run.headers, attributes=list(specs))
    except Refusal:
        return None
    return Remembered(mapping, last)
