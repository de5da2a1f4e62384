"""Who is out by a file, however other tools say so: it is read so, or asked about."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from backupsvc.accounts.models import Account
from recipients.models import Attribute, Group, Recipient
from tests.commands.conftest import Run

pytestmark = pytest.mark.django_db(transaction=True)
CsvFile = Callable[[str], Path]
INTO_NEWS = ("--account", "acme", "--group", "News", "--create", "--wait", "--json")
AS_ACTIVE = (*INTO_NEWS, "--status", "active")


def active() -> list[str]:
    """Who gets mail, without what all their addresses have."""
    people = Recipient.objects.filter(deactivated=None, bounced=None).exclude(activated=None)
    return sorted(key.removesuffix("@example.com") for key in people.values_list("key", flat=True))


def people(header: str, *cells: str, status: bool = False) -> str:
    """A file of ann, bob and cid with a cell each in a column of this name."""
    names = ("ann", "bob", "cid")
    rows = "".join(f"{name}@example.com,{cell},{name}\n" for name, cell in zip(names, cells, strict=True))
    return f"Email,{header},{'Status' if status else 'First name'}\n{rows}"


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        ("Global status", ("Subscribed", "Unsubscribed", "Bounced")),
        ("Type", ("Active", "Unsubscribed", "Non-Subscribed")),
        ("Person - Marketing status", ("subscribed", "opted out", "hard bounce")),
        ("Zustand", ("angemeldet", "abgemeldet", "unzustellbar")),
        ("IsExcludedFromCampaigns", ("False", "True", "True")),
        ("email_disabled", ("false", "true", "true")),
        ("abused", ("", "2024-03-02 03:04:05", "2024-03-02 03:04:05")),
        ("Wants emails", ("yes", "no", "no")),
        ("Receive marketing emails", ("yes", "no", "no")),
        ("E-Mail erlaubt", ("ja", "nein", "nein")),
        ("Newsletter", ("✓", "✗", "✗")),
        ("Newsletter", ("☑", "☐", "☐")),
    ],
)
def test_whom_a_column_of_another_tool_says_to_be_out_gets_no_mail(
    run: Run, account: Account, csv_file: CsvFile, header: str, cells: tuple[str, ...]
) -> None:
    done = run("import_list", csv_file(people(header, *cells)), *AS_ACTIVE)
    assert (done.code, done.json["added"], active()) == (0, 3, ["ann"]), done.err


def test_a_file_without_names_of_columns_says_who_is_out_too(
    run: Run, account: Account, csv_file: CsvFile
) -> None:
    rows = "ann@example.com,subscribed,Ann\nbob@example.com,unsubscribed,Bob\n"
    done = run("import_list", csv_file(rows), *AS_ACTIVE)
    assert (done.code, done.json["added"], active()) == (0, 2, ["ann"])


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        ("Unsubscribed", ("", "asked by phone", "see mail of 3 May")),
        ("Opt-out", ("", "*", "*")),
        ("Opt-in", ("granted", "denied", "refused")),
        ("subscriber_status", ("1", "3", "3")),
        ("Einwilligung", ("erteilt", "nicht erteilt", "nicht erteilt")),
    ],
)
def test_what_nobody_understands_below_a_name_of_consent_becomes_no_field_unasked(
    run: Run, account: Account, csv_file: CsvFile, header: str, cells: tuple[str, ...]
) -> None:
    file = csv_file(people(header, *cells))
    done = run("import_list", file, *AS_ACTIVE)
    assert (done.code, done.json["error"]["code"]) == (1, "import.signup_unmapped")
    assert header in done.err
    assert not Recipient.objects.exists()
    # By name it is on purpose.
    done = run("import_list", file, *AS_ACTIVE, "--map", f"{header}={header}")
    assert (done.code, active()) == (0, ["ann", "bob", "cid"])


def test_words_about_mail_further_down_are_asked_about_whatever_stands_above_them(
    run: Run, account: Account, csv_file: CsvFile
) -> None:
    rows = "".join(f"p{number}@example.com,active\n" for number in range(2000))
    text = f"Email,Type\n{rows}out@example.com,unsubscribed\n"
    done = run("import_list", csv_file(text), *AS_ACTIVE)
    assert (done.code, done.json["error"]["code"]) == (1, "import.signup_unmapped")
    done = run("import_list", csv_file(text), *AS_ACTIVE, "--map", "Type=status")
    assert (done.code, done.json["added"], len(active())) == (0, 2001, 2000)


@pytest.mark.parametrize("cells", [("gold", "silver", "gold"), ("new", "active", "archived"), ("", "", "")])
def test_words_that_may_be_about_anything_are_a_field_like_others(
    run: Run, account: Account, csv_file: CsvFile, cells: tuple[str, ...]
) -> None:
    done = run("import_list", csv_file(people("Membership", *cells)), *AS_ACTIVE)
    assert (done.code, active()) == (0, ["ann", "bob", "cid"])
    assert Attribute.objects.filter(name="Membership").exists()


def test_a_full_mailbox_puts_nobody_out(run: Run, account: Account, csv_file: CsvFile) -> None:
    text = "Email,Soft Bounces,Hard Bounces,Status\nann@example.com,2,0,active\nbob@example.com,0,1,active\n"
    done = run("import_list", csv_file(text), *INTO_NEWS)
    assert (done.code, done.json["added"], active()) == (0, 2, ["ann"])
    assert Recipient.objects.get(key="ann@example.com").attributes["Soft Bounces"] == "2"


@pytest.mark.parametrize(
    ("header", "cells"),
    [("Bounce", ("0", "0", "1")), ("Unsubscribed", ("", "", "2026-05-01")), ("bounced", ("", "", "yes"))],
)
def test_a_column_of_those_who_are_out_says_nothing_of_the_others(
    run: Run, account: Account, csv_file: CsvFile, header: str, cells: tuple[str, ...]
) -> None:
    file = csv_file(people(header, *cells))
    done = run("import_list", file, *INTO_NEWS)
    assert (done.code, done.json["error"]["code"]) == (1, "import.status_missing")
    assert not Recipient.objects.exists()
    done = run("import_list", file, *AS_ACTIVE)
    assert (done.code, active()) == (0, ["ann", "bob"])


def test_nobody_is_asked_about_a_file_in_which_all_are_out(
    run: Run, account: Account, csv_file: CsvFile
) -> None:
    file = csv_file(people("CLEAN_TIME", "2026-05-01", "2026-05-02 10:00:00", "2026-05-03"))
    done = run("import_list", file, *INTO_NEWS)
    assert (done.code, done.json["added"], active()) == (0, 3, [])
    assert Recipient.objects.filter(bounced=None).count() == 0


def test_what_the_preview_warns_of_is_told_when_the_import_is_done(
    run: Run, account: Account, csv_file: CsvFile
) -> None:
    text = "Email,Status\nbob@example.com,unsubscribed\nbob@example.com,active\n<ann@example.com>,active\n"
    dry = run("import_list", csv_file(text), *INTO_NEWS, "--dry-run")
    done = run("import_list", csv_file(text), *INTO_NEWS)
    assert "bob@example.com" in done.err
    assert "ann@example.com" in done.err
    assert done.err == dry.err


def test_a_second_column_of_one_name_is_kept(run: Run, account: Account, csv_file: CsvFile) -> None:
    text = (
        "Email,Status,Tags,Tags,Source,Source,Email\nann@example.com,active,vip,berlin,web,shop,a@b.example\n"
    )
    done = run("import_list", csv_file(text), *INTO_NEWS)
    assert done.code == 0
    ann = Recipient.objects.get(group=Group.objects.get())
    assert (ann.tags, ann.source) == (["vip"], "web")
    second = {name.rpartition(" ")[0]: value for name, value in ann.attributes.items()}
    assert second == {"Tags": "berlin", "Source": "shop", "Email": "a@b.example"}
