"""The activity log of all accounts: is it as it was written?"""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError

from backupsvc.accounts.actions.log_check import LogCheck, Wrong, check_log
from backupsvc.accounts.actions.sealing import anchor_log, seal_log
from backupsvc.accounts.anchors import Anchor
from backupsvc.accounts.management.operator_command import OperatorCommand, add_json

VERBS = {
    "verify": "check every signature and link; exit 1 when an entry was changed, removed, put in or moved",
    "seal": "give new entries their places in the chain now (the scheduler does it every few seconds)",
    "anchor": "write the end of the chain down outside the database now (the scheduler does it every hour)",
}


class Command(OperatorCommand):
    help = "Verify, seal and anchor the activity log."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the command line: one sub-command a verb."""
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        for name, text in VERBS.items():
            verb = verbs.add_parser(name, help=text, description=text)
            add_json(verb)
            if name == "verify":
                verb.add_argument(
                    "--anchor",
                    metavar="POSITION:DIGEST",
                    dest="anchors",
                    action="append",
                    default=[],
                    help="an end of the chain that you kept elsewhere; may be given several times",
                )

    def act(self, options: dict[str, Any]) -> bool:
        """Do what the verb says."""
        if options["verb"] == "verify":
            return self._verify([_anchor(text) for text in options["anchors"]])
        if options["verb"] == "seal":
            sealed = seal_log(thoroughly=True)
            self.answer({"sealed": sealed}, people=f"{sealed} entries were sealed.")
            return True
        anchor = anchor_log()
        people = f"{anchor.position}:{anchor.digest}" if anchor else "The log is empty."
        self.answer(asdict(anchor) if anchor else None, people=people)
        return True

    def _verify(self, known: list[Anchor]) -> bool:
        found = check_log(known=known)
        is_sound = not found.wrong
        lines = [_line(wrong) for wrong in found.wrong]
        lines.append(_summary(found))
        self.answer({"ok": is_sound, **asdict(found)}, people="\n".join(lines))
        return is_sound


def _line(wrong: Wrong) -> str:
    names = (("entry", wrong.entry), ("position", wrong.position))
    place = ", ".join(f"{name} {number}" for name, number in names if number is not None)
    return f"{place or 'log'}: {wrong.what}"


def _summary(found: LogCheck) -> str:
    waiting = ""
    if found.oldest_unsealed_seconds is not None:
        waiting = f", {found.unsealed} wait for theirs (up to {found.oldest_unsealed_seconds:.0f} seconds)"
    outcome = "The log is NOT as it was written." if found.wrong else "The log is as it was written."
    return (
        f"{found.sealed} entries have their seal{waiting}; {found.anchors} anchors were compared. {outcome}"
    )


def _anchor(text: str) -> Anchor:
    position, _colon, digest = text.partition(":")
    if not position.isdecimal() or len(digest) != 64:
        raise CommandError(f"--anchor: {text!r} is not POSITION:DIGEST", returncode=2)
    return Anchor(position=int(position), digest=digest, at="")
