"""Who may see and do what with backups, tried at every address."""

from __future__ import annotations

import pytest
from django.test import Client

from backups.models import Restore, Snapshot
from backupsvc.accounts.models import Account, AuditEntry, User
from recipients.models import Group
from tests.fixtures.cast import ClientOf

PAGES = ["", "compare/", "restore/", "delete/"]
DEEDS = ["pin/", "unpin/", "verify/", "download/csv/", "delete/", "restore/"]


def path_of(snapshot: Snapshot, rest: str) -> str:
    return f"/a/acme/backups/{snapshot.pk}/{rest}"


@pytest.mark.parametrize("name", ["olivia", "adam", "edith", "victor", "sam"])
def test_members_and_support_staff_see_the_backups(
    name: str, backup: Snapshot, request: pytest.FixtureRequest, client_of: ClientOf
) -> None:
    client = client_of(request.getfixturevalue(name))
    for path in (
        "/a/acme/backups/",
        "/a/acme/extras/backups/",
        path_of(backup, ""),
        path_of(backup, "compare/"),
    ):
        assert client.get(path).status_code == 200


def test_a_viewer_sees_no_button_that_is_not_for_viewers(
    backup: Snapshot, victor: User, client_of: ClientOf
) -> None:
    client = client_of(victor)
    for page in (client.get("/a/acme/backups/").text, client.get(path_of(backup, "")).text):
        for deed in DEEDS:
            assert path_of(backup, deed) not in page
        assert "Back up now" not in page
        assert path_of(backup, "compare/") in page


@pytest.mark.parametrize("deed", DEEDS)
def test_a_viewer_who_posts_all_the_same_is_told_that_he_may_not(
    deed: str, backup: Snapshot, victor: User, client_of: ClientOf
) -> None:
    answer = client_of(victor).post(path_of(backup, deed), {"target": "own", "mode": "reform_and_add"})
    assert answer.status_code == 403
    backup.refresh_from_db()
    assert (backup.state, backup.pinned) == ("complete", False)
    assert not Restore.objects.exists()


def test_a_viewer_makes_no_backup(news: Group, victor: User, client_of: ClientOf) -> None:
    before = Snapshot.objects.count()
    assert client_of(victor).post(f"/a/acme/backups/make/{news.pk}/").status_code == 403
    assert Snapshot.objects.count() == before


@pytest.mark.parametrize("rest", sorted({*PAGES, *DEEDS, "row/"}))
def test_a_stranger_finds_nothing(
    rest: str, backup: Snapshot, stranger: User, other_account: Account, client_of: ClientOf
) -> None:
    client = client_of(stranger)
    # Neither in the account of others nor under the name of one's own.
    for slug in ("acme", "other"):
        path = f"/a/{slug}/backups/{backup.pk}/{rest}"
        assert client.get(path).status_code in (404, 405)
        assert client.post(path).status_code in (404, 405)
        assert "News" not in client.get(path).text
    backup.refresh_from_db()
    assert (backup.state, backup.pinned) == ("complete", False)


def test_visitors_are_asked_to_sign_in(backup: Snapshot) -> None:
    for rest in PAGES:
        assert Client().get(path_of(backup, rest)).headers["Location"].startswith("/accounts/login/")


def test_an_editor_restores_and_downloads_but_does_not_delete(
    backup: Snapshot, edith: User, client_of: ClientOf
) -> None:
    client = client_of(edith)
    assert client.get(path_of(backup, "restore/")).status_code == 200
    assert client.post(path_of(backup, "download/csv/")).status_code == 200
    assert client.get(path_of(backup, "delete/")).status_code == 403
    assert path_of(backup, "delete/") not in client.get("/a/acme/backups/").text


def test_support_staff_restore_but_download_only_when_the_account_allows_it(
    account: Account, backup: Snapshot, sam: User, client_of: ClientOf
) -> None:
    client = client_of(sam)
    html = client.get("/a/acme/backups/").text
    assert path_of(backup, "restore/") in html
    assert path_of(backup, "download/csv/") not in html
    assert client.get(path_of(backup, "restore/")).status_code == 200
    assert client.post(path_of(backup, "download/csv/")).status_code == 403
    account.support_may_download = True
    account.save()
    assert path_of(backup, "download/csv/") in client.get("/a/acme/backups/").text
    answer = client.post(path_of(backup, "download/csv/"))
    assert b"anna@example.com" in answer.getvalue()
    assert AuditEntry.objects.get(event="backup.downloaded").origin == "support"


@pytest.mark.parametrize("rest", ["pin/", "unpin/", "verify/", "download/csv/"])
def test_looking_at_an_address_changes_nothing(
    rest: str, backup: Snapshot, olivia: User, client_of: ClientOf
) -> None:
    assert client_of(olivia).get(path_of(backup, rest)).status_code == 405
