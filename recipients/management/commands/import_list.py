"""Import a list file into a list, in one go."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from backupsvc.accounts.access import Permission, get_account
from backupsvc.accounts.actor import Actor, Origin, operator
from backupsvc.accounts.management.operator_command import STREAM, OperatorCommand, add_json
from backupsvc.accounts.models import Account
from backupsvc.errors import NotFound, Refusal
from backupsvc.jobs.models import Job
from backupsvc.texts import readable
from recipients.access import find_group, is_group_id
from recipients.actions import imports
from recipients.imports import mapping as maps
from recipients.imports.dialect import ENCODINGS
from recipients.imports.survey import COMMA, DAY, MONTH, POINT, Survey
from recipients.management.staged import discarded_on_error, finish_staged, refused_change, tell_all
from recipients.models import Blank, Change, ChangeKind, Group, Import, Mode, Status

DAY_FIRST, MONTH_FIRST = "day-first", "month-first"
DECIMALS = {"point": POINT, "comma": COMMA}
# Options that are fields of a dialect.
READING = ("sheet", "encoding", "delimiter")
# Marks that are hard to type, or that a shell takes for its own.
MARKS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|", "colon": ":", "space": " ", "none": ""}


class Command(OperatorCommand):
    help = "Import FILE into a list: read, map by column names, preview, confirm."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the command line."""
        parser.add_argument("file", metavar="FILE", help=f"CSV, TXT or XLSX; {STREAM} is stdin")
        parser.add_argument("--account", required=True, metavar="A", help="the account's short name")
        parser.add_argument("--group", required=True, metavar="G", help="the list's name, or its id as '#9'")
        parser.add_argument("--create", action="store_true", help="make the list and fields that are missing")
        _add_reading(parser)
        parser.add_argument("--mode", choices=Mode.values, default=Mode.REFORM_AND_ADD.value)
        parser.add_argument(
            "--map",
            action="append",
            default=[],
            type=_assignment,
            metavar="COLUMN=FIELD",
            help="what a column means; nothing after = leaves it out. Other columns map themselves by name",
        )
        parser.add_argument(
            "--status",
            choices=[Status.ACTIVE.value, Status.UNCONFIRMED.value],
            help="what new recipients become when the file does not say",
        )
        parser.add_argument(
            "--dates",
            choices=[DAY_FIRST, MONTH_FIRST],
            help="what comes first in dates such as 03/04/2026; without it, what most of the column say",
        )
        parser.add_argument(
            "--decimal",
            choices=list(DECIMALS),
            help="the mark before the fraction of numbers such as 1,234; without it, what the column says",
        )
        parser.add_argument("--blank", choices=Blank.values, help="what an empty cell does to a known value")
        parser.add_argument(
            "--origin",
            choices=[Origin.UI.value, Origin.API.value],
            default=Origin.COMMAND.value,
            help="do as if the change came from there (it decides about the backup)",
        )
        parser.add_argument("--no-backup", action="store_true", help="make no backup first")
        parser.add_argument("--dry-run", action="store_true", help="show what would happen, change nothing")
        parser.add_argument("--wait", action="store_true", help="return when the import has ended")
        add_json(parser)

    def act(self, options: dict[str, Any]) -> bool:
        """Upload, map, stage and confirm."""
        actor = operator(options["origin"])
        account = get_account(actor, slug=options["account"], permission=Permission.EDIT)
        group = _group(account, actor=actor, options=options)
        with _opened(options["file"]) as (file, name):
            run = imports.start_import(
                account,
                actor=actor,
                file=file,
                file_name=name,
                group=group,
                new_group_name="" if group else options["group"],
            )
        with discarded_on_error(run.change, actor=actor):
            if said := {name: options[name] for name in READING if options[name] is not None}:
                run = imports.set_dialect(run, actor=actor, overrides=said)
            job = self._stage(run, actor=actor, options=options)
        change = Change.objects.get(pk=run.pk)
        backup = False if options["no_backup"] else None
        return finish_staged(self, change, actor=actor, job=job, options=options, backup=backup)

    def _stage(self, run: Import, *, actor: Actor, options: dict[str, Any]) -> Job:
        """Map and stage it. When that is refused, how the file was read may be why: it is told too."""
        try:
            run = _mapped(run, actor=actor, options=options)
            run = imports.set_mode(
                run,
                actor=actor,
                mode=options["mode"],
                blank=options["blank"] or run.change.blank,
                new_status=options["status"] or "",
                orders=_orders(run, options=options),
            )
            return imports.stage(run, actor=actor)
        except Refusal:
            tell_all(self, run.dialect["warnings"])
            raise

    def refused(self, refusal: Refusal, options: dict[str, Any]) -> dict[str, Any]:
        """A refused import in the shape of one that failed."""
        return refused_change(refusal, kind=ChangeKind.IMPORT, group=options["group"], mode=options["mode"])


def _add_reading(parser: ArgumentParser) -> None:
    """How the file is read where it does not tell. What is empty is a script's mistake, and means nothing."""
    parser.add_argument("--sheet", metavar="NAME", type=_name, help="the sheet of a spreadsheet to read")
    parser.add_argument(
        "--encoding",
        metavar="NAME",
        type=str.lower,
        choices=ENCODINGS,
        help="what a text file is written in, such as utf-8 or cp1252; without it, what it looks like",
    )
    parser.add_argument(
        "--delimiter",
        metavar="MARK",
        type=_mark,
        help=f"what separates the columns of a text file: the mark, or {', '.join(MARKS)}",
    )


def _name(text: str) -> str:
    if not text.strip():
        raise ArgumentTypeError("the name is missing")
    # Halves of characters cannot be stored, and no sheet is called so.
    return readable(text)


def _mark(text: str) -> str:
    if not text or (text not in MARKS and any(map(str.isalnum, text))):
        raise ArgumentTypeError(f"“{text}” is no mark; type one, or {', '.join(MARKS)}")
    return MARKS.get(text, text)


def _assignment(text: str) -> str:
    if "=" not in text[1:]:
        raise ArgumentTypeError(f"“{text}” is not COLUMN=FIELD")
    return text


def _group(account: Account, *, actor: Actor, options: dict[str, Any]) -> Group | None:
    """The list, or None where it is to be made."""
    try:
        return find_group(actor, account=account, name=options["group"])
    except NotFound:
        if not options["create"] or is_group_id(options["group"]):
            raise
        return None


@contextmanager
def _opened(name: str) -> Iterator[tuple[BinaryIO, str]]:
    """The file and what to call it. Raises Refusal."""
    if name == STREAM:
        yield sys.stdin.buffer, "stdin"
        return
    try:
        file = Path(name).open("rb")  # noqa: SIM115  # closed below; the try is about opening alone
    except OSError as problem:
        raise Refusal("file.unreadable") from problem
    with file:
        yield file, Path(name).name


def _mapped(run: Import, *, actor: Actor, options: dict[str, Any]) -> Import:
    names = dict(_split(text, headers=run.headers) for text in options["map"])
    mapping = maps.apply_names(
        imports.suggestion(run, create_missing=options["create"]),
        names,
        headers=run.headers,
        attributes=imports.specs_of(run.change),
        create_missing=options["create"],
    )
    # Sign-up columns that the caller leaves out, or keeps as a field, by name are left out on purpose.
    left_out = imports.signup_in_all_rows(run, actor=actor, mapping=mapping)
    on_purpose = bool(left_out) and all(header in names for header in left_out)
    return imports.set_mapping(run, actor=actor, mapping=mapping.to_json(), leaves_signup_out=on_purpose)


def _orders(run: Import, *, options: dict[str, Any]) -> dict[str, str]:
    """How the columns that can be meant in two ways are meant, as far as the caller says."""
    said = {
        "dates": {DAY_FIRST: DAY, MONTH_FIRST: MONTH}.get(options["dates"] or "", ""),
        "numbers": DECIMALS.get(options["decimal"] or "", ""),
    }
    readings = Survey.from_json(run.dialect.get("survey", {})).readings
    return {str(one.index): said[one.kind] for one in readings if one.choices and said[one.kind]}


def _split(text: str, *, headers: Sequence[str]) -> tuple[str, str]:
    """COLUMN and FIELD; a column's own name may hold a "=" too."""
    cuts = [index for index, character in enumerate(text) if character == "=" and text[:index] in headers]
    cut = cuts[-1] if cuts else text.index("=", 1)
    return text[:cut], text[cut + 1 :]
