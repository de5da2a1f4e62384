"""The keys that open the backups, from the command line."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from backups.actions.keys import prepare_keys
from backups.actions.rotation import InstanceKey, drop, instance_keys, rotate
from backups.archive import new_identity
from backups.keyring import where
from backups.keys import key_file, key_id
from backupsvc.accounts.actor import operator
from backupsvc.accounts.management.operator_command import OperatorCommand, add_json, table

# `verb_…` methods of the command, with what --help says about them.
VERBS = {
    "list": "show the keys by their public halves: which is in use, and how many accounts each opens",
    "check": "open the accounts' keys; make the first key where there never was one",
    "new": "print a new key, to be put into ARCHIVE_KEY before the others",
    "rotate": "seal the accounts' keys anew, with a new key or with the new first one of ARCHIVE_KEY",
    "drop": "take a key that opens nothing any more out of the file",
}


class Command(OperatorCommand):
    help = "Make, check and change the keys that open the backups."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the command line: one sub-command a verb."""
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        of = {name: verbs.add_parser(name, help=text, description=text) for name, text in VERBS.items()}
        for verb in of.values():
            add_json(verb)
        of["drop"].add_argument("id", metavar="ID", help="the key's public half, as list shows it")

    def act(self, options: dict[str, Any]) -> bool:
        """Do what the verb says."""
        done: bool = getattr(self, f"verb_{options['verb']}")(options)
        return done

    def verb_list(self, _options: dict[str, Any]) -> bool:
        """Whether every key that is needed is here."""
        keys = instance_keys()
        rows = [(key.id, _state(key), key.accounts) for key in keys]
        self.answer([asdict(key) for key in keys], people=table(rows, head=("id", "state", "accounts")))
        return all(key.is_here for key in keys)

    def verb_check(self, _options: dict[str, Any]) -> bool:
        """The first key is made by the first start, where nothing is encrypted yet."""
        made = prepare_keys()
        people = "The keys open what they should."
        if made:
            people = (
                f"The key that opens all backups was made: {made}\n"
                "Keep a copy of it apart from this server. Without it no backup can ever be read."
            )
        self.answer({"made": made, "where": where()}, people=people)
        return True

    def verb_new(self, _options: dict[str, Any]) -> bool:
        """Nothing is stored."""
        identity = new_identity()
        text = key_file(identity, purpose="opens all backups").rstrip()
        self.answer({"key": identity, "id": key_id(identity)}, people=text)
        return True

    def verb_rotate(self, _options: dict[str, Any]) -> bool:
        """Safe to run again at any time, and after it was killed."""
        count = rotate(actor=operator())
        keys = instance_keys()
        old = [key.id for key in keys if not key.is_current]
        people = (
            f"The keys of {count} accounts were sealed anew.\n"
            f"Keep a copy of {where()} apart from this server. The old keys open no backup of this database "
            "any more; keep them as long as you keep older copies of the database, then drop them:\n"
            + "\n".join(old)
        )
        document = {"accounts": count, "current": keys[0].id, "old": old}
        self.answer(document, people=people)
        return True

    def verb_drop(self, options: dict[str, Any]) -> bool:
        """Refused while it is needed."""
        drop(options["id"])
        self.answer({"dropped": options["id"]}, people="The key was taken out.")
        return True


def _state(key: InstanceKey) -> str:
    if not key.is_here:
        return "MISSING"
    return "in use" if key.is_current else "old"
