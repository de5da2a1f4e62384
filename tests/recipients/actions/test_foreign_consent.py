"""What other tools' files say about consent, from the upload to the list: nobody who is out gets mail."""

from __future__ import annotations

import pytest

from recipients.models import Recipient
from tests.fixtures.lists import Lists

FILES = {
    "Mailchimp, cleaned": (
        "Email Address,First Name,OPTIN_TIME,CLEAN_TIME\n"
        "ann@example.com,Ann,2023-01-02 10:00:00,2024-05-06 07:08:09\n",
        {"ann": "bounced"},
    ),
    "Mailchimp, unsubscribed": (
        "Email Address,CONFIRM_TIME,UNSUB_TIME\nann@example.com,2023-01-02 10:00:00,2024-05-06 07:08:09\n",
        {"ann": "inactive"},
    ),
    "Brevo": (
        "CONTACT ID,EMAIL,ADDED_TIME,BLACKLIST\n"
        "1,ann@example.com,02-01-2024,true\n2,bob@example.com,13-01-2024,false\n",
        {"ann": "inactive", "bob": "active"},
    ),
    "HubSpot": (
        "Email,Create Date (EST),Marketing contact status,Unsubscribed from all email,"
        "Email hard bounce reason\n"
        "ann@example.com,2024-01-02 10:00,Marketing contact,true,\n"
        "bob@example.com,2024-01-02 10:00,Marketing contact,,\n"
        "eve@example.com,2024-01-02 10:00,Marketing contact,,UNKNOWN_USER\n"
        "max@example.com,2024-01-02 10:00,Non-marketing contact,,\n",
        {"ann": "inactive", "bob": "active", "eve": "bounced", "max": "inactive"},
    ),
    "CleverReach": (
        "id,email,activated,registered,deactivated,bounced\n"
        "1,ann@example.com,1700000000,1690000000,1710000000,0\n"
        "2,bob@example.com,1700000000,1690000000,0,0\n"
        "3,eve@example.com,1700000000,1690000000,0,1710000000\n"
        "4,max@example.com,0,1690000000,0,0\n",
        {"ann": "inactive", "bob": "active", "eve": "bounced", "max": "unconfirmed"},
    ),
    "a shop": (
        "Email,Accepts Email Marketing,Total Spent\nann@example.com,no,10\nbob@example.com,yes,20\n",
        {"ann": "inactive", "bob": "active"},
    ),
    "a form": (
        "E-Mail,Opt-in\nann@example.com,false\nbob@example.com,true\n",
        {"ann": "inactive", "bob": "active"},
    ),
    "a German tool": (
        "E-Mail;Bestaetigt am;Abgemeldet am;Gesperrt\n"
        "ann@example.com;1.2.2023;;ja\nbob@example.com;1.2.2023;;nein\n"
        "eve@example.com;;;\nmax@example.com;1.2.2023;3.4.2024;\n",
        {"ann": "inactive", "bob": "active", "eve": "unconfirmed", "max": "inactive"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("tool", FILES)
def test_who_is_out_elsewhere_is_out_here(lists: Lists, tool: str) -> None:
    text, expected = FILES[tool]
    change = lists.load(text)
    assert change.rejected == 0
    statuses = {one.key.partition("@")[0]: str(one.status) for one in Recipient.objects.all()}
    assert statuses == expected


@pytest.mark.parametrize("tool", FILES)
def test_nobody_who_is_out_here_comes_back_by_such_a_file(lists: Lists, tool: str) -> None:
    text, expected = FILES[tool]
    out = "".join(f"{name}@example.com,unsubscribed\n" for name in expected)
    group = lists.group("email,status\n" + out)
    lists.load(text, into=group)
    assert {one.status for one in Recipient.objects.filter(group=group)} <= {"inactive", "bounced"}


def test_what_such_a_file_says_reaches_people_who_are_active_here(lists: Lists) -> None:
    group = lists.group("email,status\nann@example.com,active\nbob@example.com,active\n")
    text, _ = FILES["Brevo"]
    change = lists.load(text, into=group)
    assert {one.key: str(one.status) for one in Recipient.objects.filter(group=group)} == {
        "ann@example.com": "inactive",
        "bob@example.com": "active",
    }
    assert (change.added, change.updated) == (0, 2)
