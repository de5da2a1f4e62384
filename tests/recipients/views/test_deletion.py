"""Deleting a list through its page, and the click that brings it back."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.urls import reverse
from django.utils import timezone

from backups.models import Snapshot, SnapshotState
from backupsvc.accounts.models import Account, AuditEntry, User
from backupsvc.jobs.models import Job
from backupsvc.jobs.runner import drain
from recipients.actions.groups import PURGE_JOB, change_group
from recipients.models import Change, Group
from tests.fixtures.cast import ClientOf
from tests.fixtures.lists import Lists, acting, table
from tests.recipients.views.conftest import Address, finish

BIG = 1_001


def make_big(group: Group) -> None:
    """As if it held more recipients than are deleted without typing its name."""
    Group.objects.filter(pk=group.pk).update(active_count=BIG)


def switch_off(group: Group, *, of_account: bool = False) -> None:
    if of_account:
        Account.objects.filter(pk=group.account_id).update(auto_backup=False)
    else:
        Group.objects.filter(pk=group.pk).update(auto_backup=False)


def is_live(group: Group) -> bool:
    return Group.objects.get(pk=group.pk).is_live


def test_the_page_says_what_goes_and_until_when_its_backup_is_kept(
    account: Account, news: Group, edith: User, client_of: ClientOf, url: Address
) -> None:
    Account.objects.filter(pk=account.pk).update(retention_days=12)
    page = client_of(edith).get(url("group-delete", news.pk))
    assert "News" in page.text
    assert "(12 days)" in page.text
    assert "For 24 hours, Undo" in page.text
    kept = page.context["kept_until"] - timezone.now()
    assert timedelta(days=11) < kept <= timedelta(days=12)


def test_a_deleted_list_is_hidden_backed_up_and_can_be_undone(
    news: Group, edith: User, client_of: ClientOf, url: Address
) -> None:
    before = table(news)
    client = client_of(edith)
    page = client.post(url("group-delete", news.pk), {"backup": "make"}, follow=True)
    assert page.redirect_chain == [(url("groups"), 302)]
    assert "is deleted. For 24 hours" in page.text
    assert not is_live(news)
    assert client.get(url("group-show", news.pk)).status_code == 404
    change = finish(Change.objects.get(kind="deletion"))
    backup = Snapshot.objects.get(change_id=change.pk)
    assert (backup.state, backup.recipients, backup.cause) == (SnapshotState.COMPLETE, 4, "deletion")
    overview = client.get(url("groups")).text
    assert "can be undone until" in overview
    assert reverse("backups:show", args=["acme", backup.pk]) in overview
    answer = client.post(url("deletion-undo", change.pk))
    assert answer.headers["Location"] == url("group-show", news.pk)
    assert is_live(news)
    assert table(news) == before
    assert "can be undone until" not in client.get(url("groups")).text
    log = AuditEntry.objects.filter(group_id=news.pk, event__startswith="group.deletion")
    assert set(log.values_list("event", "user__name")) == {
        ("group.deletion_requested", "Edith"),
        ("group.deletion_undone", "Edith"),
    }


def test_undo_pressed_twice_is_no_harm(news: Group, edith: User, client_of: ClientOf, url: Address) -> None:
    client = client_of(edith)
    client.post(url("group-delete", news.pk), {"backup": "make"})
    path = url("deletion-undo", Change.objects.get(kind="deletion").pk)
    assert client.get(path).status_code == 405
    assert not is_live(news)
    for _again in range(2):
        assert client.post(path).headers["Location"] == url("group-show", news.pk)
    assert is_live(news)
    assert AuditEntry.objects.filter(event="group.deletion_undone").count() == 1


def test_when_the_rows_are_gone_undo_says_what_helps(
    news: Group, edith: User, client_of: ClientOf, url: Address
) -> None:
    client = client_of(edith)
    client.post(url("group-delete", news.pk), {"backup": "make"})
    change = finish(Change.objects.get(kind="deletion"))
    Job.objects.filter(kind=PURGE_JOB).update(due_at=timezone.now())
    drain(Job.objects.get(kind=PURGE_JOB, subject_id=news.pk))
    assert url("deletion-undo", change.pk) not in client.get(url("groups")).text
    page = client.post(url("deletion-undo", change.pk), follow=True)
    assert "Restore it from its backup" in page.text
    assert not is_live(news)


@pytest.mark.parametrize("typed", ["", "news", "Newsletter"])
def test_a_big_list_is_deleted_only_with_its_name_typed(
    typed: str, news: Group, edith: User, client_of: ClientOf, url: Address
) -> None:
    make_big(news)
    client = client_of(edith)
    page = client.post(url("group-delete", news.pk), {"backup": "make", "typed_name": typed})
    assert page.context["form"].errors["typed_name"]
    assert is_live(news)
    client.post(url("group-delete", news.pk), {"backup": "make", "typed_name": " News "})
    assert not is_live(news)


def test_a_locked_list_says_how_to_unlock_it_and_has_no_button(
    news: Group, olivia: User, edith: User, client_of: ClientOf, url: Address
) -> None:
    change_group(news, actor=acting(olivia), locked=True)
    path = url("group-delete", news.pk)
    for user in (olivia, edith):
        page = client_of(user).get(path).text
        assert "is locked" in page
        assert "Delete the list" not in page
    client_of(edith).post(path, {"backup": "make"})
    assert is_live(news)
    assert not Change.objects.filter(kind="deletion").exists()


@pytest.mark.parametrize("of_account", [True, False])
def test_switches_that_are_off_are_said_before_the_button_and_a_backup_is_the_default(
    of_account: bool, news: Group, olivia: User, client_of: ClientOf, url: Address
) -> None:
    switch_off(news, of_account=of_account)
    client = client_of(olivia)
    page = client.get(url("group-delete", news.pk)).text
    assert page.index("Automatic backups are off") < page.index("Delete the list")
    assert page.index("Make a backup now") < page.index("Delete the list")
    client.post(url("group-delete", news.pk), {})
    change = finish(Change.objects.get(kind="deletion"))
    assert Snapshot.objects.get(change_id=change.pk).state == SnapshotState.COMPLETE


def test_an_owner_goes_without_a_backup_by_typing_the_name(
    news: Group, olivia: User, client_of: ClientOf, url: Address
) -> None:
    switch_off(news)
    client = client_of(olivia)
    untyped = client.post(url("group-delete", news.pk), {"backup": "without"})
    assert untyped.context["form"].errors["typed_name"]
    assert is_live(news)
    client.post(url("group-delete", news.pk), {"backup": "without", "typed_name": "News"})
    change = finish(Change.objects.get(kind="deletion"))
    assert (change.state, change.backup_wanted) == ("done", False)
    assert not Snapshot.objects.filter(change_id=change.pk).exists()
    assert "there is no backup of this deletion" in client.get(url("groups")).text


def test_a_list_deleted_without_a_backup_leads_to_those_made_before(
    news: Group, lists: Lists, olivia: User, client_of: ClientOf, url: Address
) -> None:
    client = client_of(olivia)
    older = f"{reverse('backups:list', args=['acme'])}?list={news.pk}"
    without = {"backup": "without", "typed_name": "News"}
    client.post(url("group-delete", news.pk), without)
    assert older not in client.get(url("groups")).text
    client.post(url("deletion-undo", Change.objects.get(kind="deletion").pk))
    lists.load("email\nzoe@example.com\n", into=news)
    client.post(url("group-delete", news.pk), without)
    assert older in client.get(url("groups")).text
    assert reverse("backups:show", args=["acme", Snapshot.objects.get().pk]) in client.get(older).text


@pytest.mark.parametrize("is_off", [True, False])
def test_an_editor_never_deletes_without_a_backup(
    is_off: bool, news: Group, edith: User, client_of: ClientOf, url: Address
) -> None:
    if is_off:
        switch_off(news)
    client = client_of(edith)
    assert "Without a backup" not in client.get(url("group-delete", news.pk)).text
    client.post(url("group-delete", news.pk), {"backup": "without", "typed_name": "News"})
    assert is_live(news)
    client.post(url("group-delete", news.pk), {})
    change = finish(Change.objects.get(kind="deletion"))
    assert Snapshot.objects.get(change_id=change.pk).state == SnapshotState.COMPLETE


def test_a_list_that_is_just_being_changed_is_not_deleted(
    lists: Lists, news: Group, edith: User, client_of: ClientOf, url: Address
) -> None:
    change, job = lists.confirm("email\nzoe@example.com\n", into=news)
    client = client_of(edith)
    page = client.get(url("group-delete", news.pk)).text
    assert url("change-progress", change.pk) in page
    assert "Delete the list" not in page
    client.post(url("group-delete", news.pk), {"backup": "make"})
    assert is_live(news)
    drain(job)
    client.post(url("group-delete", news.pk), {"backup": "make"})
    assert not is_live(news)


def test_a_backup_that_cannot_be_made_leaves_the_list_and_says_why(
    news: Group, edith: User, client_of: ClientOf, url: Address, archives: Path
) -> None:
    archives.rmdir()
    archives.write_text("no folder")
    client = client_of(edith)
    client.post(url("group-delete", news.pk), {"backup": "make"})
    change = finish(Change.objects.get(kind="deletion"))
    assert change.state == "failed"
    assert is_live(news)
    assert news.recipients.count() == 4
    page = client.get(url("groups")).text
    assert "Nothing was changed." in page
    assert url("change-result", change.pk) in page


def test_others_cannot_undo(
    news: Group, edith: User, victor: User, sam: User, stranger: User, client_of: ClientOf, url: Address
) -> None:
    client_of(edith).post(url("group-delete", news.pk), {"backup": "make"})
    path = url("deletion-undo", Change.objects.get(kind="deletion").pk)
    for user, status in ((victor, 403), (sam, 403), (stranger, 404)):
        assert client_of(user).post(path).status_code == status
        assert not is_live(news)
    assert path not in client_of(victor).get(url("groups")).text
