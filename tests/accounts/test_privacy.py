"""Settings > Privacy: who reads and who changes when backups are made."""

from __future__ import annotations

from typing import Any

import pytest

from backupsvc.accounts.models import Account, AuditEntry, User
from tests.fixtures.cast import ClientOf
from tests.fixtures.filled import filled

PRIVACY = "/a/acme/settings/privacy/"
SENT: dict[str, Any] = {"retention_days": "90", "name": "Acme Letters", "time_zone": "Europe/Berlin"}


@pytest.mark.parametrize(
    ("name", "status"), [("olivia", 302), ("adam", 302), ("edith", 403), ("victor", 403), ("sam", 403)]
)
def test_owners_and_admins_change_the_switches(
    name: str, status: int, request: pytest.FixtureRequest, account: Account, client_of: ClientOf
) -> None:
    client = client_of(request.getfixturevalue(name))
    assert client.post(PRIVACY, {**SENT, "backup_api_changes": "on"}).status_code == status
    account.refresh_from_db()
    changed = status == 302
    assert account.auto_backup is not changed
    assert account.backup_api_changes is changed
    assert account.retention_days == (90 if changed else 30)
    assert ('role="switch"' in client.get(PRIVACY).text) is changed


def test_a_change_is_logged_with_old_and_new_values(
    account: Account, adam: User, client_of: ClientOf
) -> None:
    client_of(adam).post(PRIVACY, {**SENT, "auto_backup": "on"})
    entry = AuditEntry.objects.get(event="account.settings_changed")
    assert entry.data == {"old": {"retention_days": 30}, "new": {"retention_days": 90}}
    assert entry.user == adam


@pytest.mark.parametrize(
    ("field", "value"), [("name", "Acme"), ("retention_days", "90"), ("time_zone", "Europe/Rome")]
)
def test_saving_an_old_form_changes_only_what_was_touched(
    field: str, value: str, account: Account, adam: User, client_of: ClientOf
) -> None:
    Account.objects.update(auto_backup=False)
    client = client_of(adam)
    old = filled(client.get(PRIVACY).text, with_field="time_zone")
    # Meanwhile an owner changes all the rest.
    now: dict[str, Any] = {
        "auto_backup": True,
        "backup_api_changes": True,
        "support_may_download": True,
        "retention_days": 60,
        "name": "Acme Post",
        "time_zone": "Asia/Tokyo",
    }
    Account.objects.update(**now)
    assert client.post(PRIVACY, old | {field: value}).status_code == 302
    account.refresh_from_db()
    expected = now | {field: int(value) if value.isdigit() else value}
    assert {name: getattr(account, name) for name in now} == expected


def test_saving_what_is_there_already_logs_nothing(account: Account, adam: User, client_of: ClientOf) -> None:
    client_of(adam).post(PRIVACY, {**SENT, "retention_days": "30", "auto_backup": "on"})
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize(("name", "expected"), [("olivia", True), ("adam", False)])
def test_only_an_owner_lets_support_staff_download(
    name: str, expected: bool, request: pytest.FixtureRequest, account: Account, client_of: ClientOf
) -> None:
    client = client_of(request.getfixturevalue(name))
    client.post(PRIVACY, {**SENT, "auto_backup": "on", "support_may_download": "on"})
    account.refresh_from_db()
    assert account.support_may_download is expected
    assert account.retention_days == 90


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("retention_days", "0", "greater than or equal to 1"),
        ("retention_days", "99999", "3,650 days"),
        ("retention_days", "", "This field is required"),
        ("time_zone", "Moon/Crater", "Select a valid choice"),
        ("name", "", "This field is required"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_refused_on_the_form(
    field: str, value: str, text: str, account: Account, olivia: User, client_of: ClientOf
) -> None:
    answer = client_of(olivia).post(PRIVACY, {**SENT, field: value})
    assert answer.status_code == 200
    assert text in answer.text
    account.refresh_from_db()
    assert (account.retention_days, account.time_zone, account.name) == (30, "Europe/Berlin", "Acme Letters")


def test_the_page_says_in_words_whether_backups_are_made(
    account: Account, victor: User, client_of: ClientOf
) -> None:
    client = client_of(victor)
    assert "Automatic backups are on." in client.get(PRIVACY).text
    Account.objects.update(auto_backup=False)
    assert "Automatic backups are off." in client.get(PRIVACY).text
