"""Whatever an entry of the log carries has a name, and a code among its values reads as words."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from html import unescape

import pytest

from backups.models import Cause
from backupsvc.accounts import audit
from backupsvc.accounts.actor import Actor, Origin, operator
from backupsvc.accounts.models import Account, Role, User
from backupsvc.accounts.views.log_text import SILENT
from backupsvc.accounts.wording_data import LABELS, VALUES
from recipients.actions import blocklist
from recipients.actions.recipients import change_recipient, reactivate, unsubscribe
from recipients.exports import KINDS
from recipients.models import AttributeType, BlocklistEntry, Mode, Recipient, Status
from recipients.selectors import COUNTS
from tests.accounts.test_wording import modules
from tests.fixtures.cast import ClientOf
from tests.fixtures.lists import Lists

LOG = "/a/acme/log/"
# What `record` keeps in columns of their own, and `note_change` takes for them.
COLUMNS = frozenset({"account", "actor", "group_id", "target", "group"})
# It hands on what it is given: its own calls are looked at.
HANDS_ON = "note_change"


def calls_of_record(tree: ast.Module) -> Iterator[tuple[ast.FunctionDef, ast.Call]]:
    """Each call that writes an entry, with the function it stands in."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef) and function.name != HANDS_ON:
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and ast.unparse(node.func) in (
                    "record",
                    "audit.record",
                    HANDS_ON,
                ):
                    yield function, node


def keys_within(function: ast.FunctionDef) -> Iterator[str]:
    """The names a function gives to the values it puts together."""
    for node in ast.walk(function):
        if isinstance(node, ast.Dict):
            yield from (key.value for key in node.keys if isinstance(key, ast.Constant))  # type: ignore[misc]
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            yield ast.literal_eval(node.slice)


def names_in_entries() -> dict[str, str]:
    """Each name under which an entry keeps a value, and the module that writes it."""
    found = dict.fromkeys(COUNTS, "COUNTS")
    for path, tree in modules():
        for function, call in calls_of_record(tree):
            names = {str(keyword.arg) for keyword in call.keywords}
            if "old" in names and any(isinstance(node, ast.Dict) for node in ast.walk(function)):
                names |= set(keys_within(function))
            found |= dict.fromkeys(names - COLUMNS, str(path))
    return found


def test_every_value_of_an_entry_has_a_label_and_no_label_is_left_over() -> None:
    found = names_in_entries()
    assert {"change", "counts", "entry", "auto_backup", "locked", "role", "kept_safe"} <= set(found)
    missing = {name: where for name, where in found.items() if name not in {*LABELS, *SILENT}}
    assert missing == {}
    assert set(LABELS) - set(found) == set()


def reasons() -> set[str]:
    """Why a change gets a backup or none, as the policy may say it."""
    found: list[ast.expr] = []
    for path, tree in modules():
        for node in ast.walk(tree) if path.name == "policy.py" else ():
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Decision":
                why = node.args[1]
                found += [why.body, why.orelse] if isinstance(why, ast.IfExp) else [why]
    return {ast.literal_eval(why) for why in found}


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("why", reasons()),
        ("backup_why", reasons()),
        ("cause", Cause.values),
        ("kind", KINDS),
        ("mode", Mode.values),
        ("role", Role.values),
        ("status", Status.values),
        ("type", AttributeType.values),
        ("target", set(BlocklistEntry.Kind.values) - {BlocklistEntry.Kind.ERASED}),
    ],
)
def test_every_code_among_the_values_has_words(name: str, codes: Iterable[str]) -> None:
    assert set(VALUES[name]) == set(codes)


def log_of(olivia: User, client_of: ClientOf) -> str:
    return unescape(client_of(olivia).get(LOG).text)


def test_a_change_reads_as_words(account: Account, olivia: User, client_of: ClientOf) -> None:
    actor = Actor(olivia, Origin.UI)
    audit.record("import.confirmed", account=account, actor=actor, change=12345, backup_why="on")
    text = log_of(olivia, client_of)
    assert "change no.:</span> 12345" in text
    assert "because:</span> automatic backups are on" in text


def test_the_operator_is_named_in_the_language_of_the_reader(
    account: Account, olivia: User, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Actor, "label", "Befehlszeile")
    audit.record("account.created", account=account, actor=operator(), owner=olivia.email)
    text = log_of(olivia, client_of)
    assert "<bdi>command line</bdi>" in text
    assert "Befehlszeile" not in text


def test_what_changed_of_a_recipient_is_named_once(lists: Lists, olivia: User, client_of: ClientOf) -> None:
    anna = Recipient.objects.get(group=lists.group("email\nanna@example.com\n"))
    actor = Actor(olivia, Origin.UI)
    change_recipient(anna, actor=actor, email="anna.neu@example.com", attributes={}, tags="a", source="b")
    assert "fields:</span> e-mail address, fields, tags, source</li>" in log_of(olivia, client_of)
    reactivate(unsubscribe(anna, actor=actor), actor=actor, reason="rang up")
    text = log_of(olivia, client_of)
    assert "fields:</span> unsubscription</li>" in text
    assert "fields:</span> unsubscription, bounce, confirmation</li>" in text


def test_a_blocked_domain_is_called_one(
    account: Account, olivia: User, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(VALUES["target"], "domain", "whole domain")
    blocklist.block(account, actor=Actor(olivia, Origin.UI), pattern="*@spam.example")
    assert "<span>whole domain</span>" in log_of(olivia, client_of)
