"""One recipient: looked at, added, changed, unsubscribed, made active, removed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from backupsvc.accounts.models import AuditEntry, User
from recipients.actions.attributes import create_attribute
from recipients.actions.blocklist import block
from recipients.actions.groups import change_group
from recipients.addresses import digest_of
from recipients.forms import days, people
from recipients.models import Activity, BlocklistEntry, Group, OptOut, Recipient
from tests.fixtures.cast import ClientOf
from tests.fixtures.filled import filled
from tests.fixtures.lists import Lists, acting
from tests.recipients.views.conftest import Address, person


def field(group: Group, name: str) -> str:
    """The name of the form's field for a field of the list."""
    return f"field-{group.account.attributes.get(name=name).pk}"


def events(name: str) -> list[str]:
    return list(AuditEntry.objects.filter(event=name).values_list("user__name", flat=True))


def test_everything_known_about_a_recipient_is_shown(
    news: Group, victor: User, client_of: ClientOf, url: Address
) -> None:
    anna = person(news, "anna")
    Recipient.objects.filter(pk=anna.pk).update(
        signup_ip="192.0.2.7", source="fair", activated=datetime(2026, 5, 3, 10, 0, tzinfo=UTC)
    )
    Activity.objects.create(recipient=anna, kind="clicked", detail="<b>roses</b>", at=timezone.now())
    page = client_of(victor).get(url("recipient-show", news.pk, anna.pk)).text
    for text in ("anna@example.com", "Bozen", "vip", "192.0.2.7", "fair", "Active", "Clicked a link"):
        assert text in page
    # In the account's zone, and it is named.
    assert "3 May 2026, 12:00" in page
    assert "CEST" in page
    assert "&lt;b&gt;roses" in page


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        ("gender", "female", "weiblich"),
        # From a backup of a time when the field was a text.
        ("gender", "Frau Dr.", "Frau Dr."),
        ("date", "1990-03-07", "7. März 1990"),
        ("date", "1990-13-40", "1990-13-40"),
        ("text", "1990-03-07", "1990-03-07"),
    ],
)
def test_a_value_is_shown_in_the_words_of_its_reader(
    monkeypatch: pytest.MonkeyPatch,
    news: Group,
    olivia: User,
    client_of: ClientOf,
    url: Address,
    kind: str,
    value: str,
    shown: str,
) -> None:
    # Catalogs are compiled when the product is set up, not for its tests; Django brings the months.
    monkeypatch.setattr(people, "GENDERS", [("", "–"), ("female", "weiblich")])
    monkeypatch.setattr(days, "pgettext", lambda _context, text: {"j F Y": "j. F Y"}[text])
    User.objects.update(language="de")
    create_attribute(news.account, actor=acting(olivia), name="About", type=kind)
    anna = person(news, "anna")
    Recipient.objects.filter(pk=anna.pk).update(attributes={"About": value})
    assert f"<bdi>{shown}</bdi>" in client_of(olivia).get(url("recipient-show", news.pk, anna.pk)).text
    # The form has it as it is stored.
    assert f'value="{value}"' in client_of(olivia).get(url("recipient-edit", news.pk, anna.pk)).text


@pytest.mark.parametrize("status", ["active", "unconfirmed"])
def test_an_editor_adds_somebody_with_the_status_they_chose(
    status: str, news: Group, edith: User, client_of: ClientOf, url: Address
) -> None:
    wish = {
        "email": " Emil@Example.com",
        "status": status,
        field(news, "First name"): "Emil",
        "tags": "shop, vip",
    }
    answer = client_of(edith).post(url("recipient-add", news.pk), wish)
    emil = person(news, "emil")
    assert answer.headers["Location"] == url("recipient-show", news.pk, emil.pk)
    assert (emil.status, emil.attributes, emil.tags) == (status, {"First name": "Emil"}, ["shop", "vip"])
    news.refresh_from_db()
    assert news.recipients_count == 5
    assert events("recipient.added") == ["Edith"]


def test_there_is_no_status_by_default(news: Group, edith: User, client_of: ClientOf, url: Address) -> None:
    client = client_of(edith)
    asked = client.get(url("recipient-add", news.pk)).context["form"]
    assert asked["status"].value() is None
    page = client.post(url("recipient-add", news.pk), {"email": "emil@example.com"})
    assert page.context["form"].errors["status"]
    assert news.recipients.count() == 4


@pytest.mark.parametrize(
    ("email", "said"),
    [
        ("anna@example.com", "is in this list already"),
        ("ANNA@EXAMPLE.COM", "is in this list already"),
        ("nonsense", "needs an @"),
        ("bot@spam.example", "blocklist"),
        ("", "required"),
    ],
)
def test_an_address_that_cannot_be_added_is_refused_beside_its_field(
    email: str, said: str, news: Group, edith: User, client_of: ClientOf, url: Address
) -> None:
    block(news.account, actor=acting(edith), pattern="*@spam.example")
    page = client_of(edith).post(url("recipient-add", news.pk), {"email": email, "status": "active"})
    assert page.status_code == 200
    assert said in str(page.context["form"].errors["email"])
    assert news.recipients.count() == 4
    assert not events("recipient.added")


def test_all_that_is_wrong_with_a_recipient_is_said_at_once(
    news: Group, edith: User, client_of: ClientOf, url: Address
) -> None:
    wish = {"email": "nonsense", "tags": "x" * 101}
    errors = client_of(edith).post(url("recipient-add", news.pk), wish).context["form"].errors
    assert set(errors) == {"email", "status", "tags"}
    assert "needs an @" in str(errors["email"])


def test_who_unsubscribed_and_was_removed_comes_back_unsubscribed(
    news: Group, edith: User, client_of: ClientOf, url: Address
) -> None:
    client = client_of(edith)
    client.post(url("recipient-remove", news.pk, person(news, "carla").pk))
    wish = {"email": "carla@example.com", "status": "active"}
    page = client.post(url("recipient-add", news.pk), wish, follow=True)
    assert person(news, "carla").status == "inactive"
    assert "not active" in page.text


def test_an_erased_person_is_not_added_again(
    news: Group, edith: User, client_of: ClientOf, url: Address
) -> None:
    digest = digest_of("erna@example.com", digest_key=bytes.fromhex(news.account.digest_key))
    BlocklistEntry.objects.create(account=news.account, kind="erased", pattern=digest)
    path, client = url("recipient-add", news.pk), client_of(edith)
    page = client.post(path, {"email": "Erna@Example.com", "status": "active"})
    assert "blocklist" in str(page.context["form"].errors["email"])
    assert client.post(path, {"email": "emil@example.com", "status": "active"}).status_code == 302
    assert not news.recipients.filter(key="erna@example.com").exists()


def new_address(news: Group, name: str, *, email: str, client: Client, url: Address) -> Any:
    """The page after somebody's address was changed by form."""
    path = url("recipient-edit", news.pk, person(news, name).pk)
    form = client.get(path).context["form"]
    wish = {field: form[field].value() or "" for field in form.fields} | {"email": email}
    return client.post(path, wish, follow=True)


def test_who_is_unsubscribed_stays_so_under_the_old_address_too(
    news: Group, edith: User, client_of: ClientOf, url: Address
) -> None:
    for name in ("carla", "dora", "anna"):
        new_address(news, name, email=f"{name}.new@example.com", client=client_of(edith), url=url)
    statuses = {one.key.partition("@")[0]: str(one.status) for one in news.recipients.all()}
    assert statuses == {
        "anna.new": "active", "bob": "unconfirmed", "carla.new": "inactive", "dora.new": "bounced",
    }  # fmt: skip
    # Of who gets mail only where they went is noted.
    told = {one.key: (bool(one.deactivated or one.bounced), one.moved_to) for one in OptOut.objects.all()}
    assert told == {
        f"{name}@example.com": (is_out, f"{name}.new@example.com")
        for name, is_out in (("anna", False), ("carla", True), ("dora", True))
    }


def test_who_takes_the_address_of_somebody_unsubscribed_becomes_so(
    news: Group, edith: User, client_of: ClientOf, url: Address
) -> None:
    client = client_of(edith)
    client.post(url("recipient-remove", news.pk, person(news, "carla").pk))
    page = new_address(news, "anna", email="Carla@example.com", client=client, url=url)
    assert "not active" in page.text
    anna = Recipient.objects.get(group=news, key="carla@example.com")
    assert (anna.status, anna.email) == ("inactive", "Carla@example.com")
    news.refresh_from_db()
    assert (news.active_count, news.inactive_count) == (0, 1)
    # A better spelling of the same address is no other address.
    page = new_address(news, "bob", email="BOB@example.com", client=client, url=url)
    assert "not active" not in page.text
    assert person(news, "bob").status == "unconfirmed"


def test_only_what_was_touched_is_changed(
    lists: Lists, news: Group, edith: User, client_of: ClientOf, url: Address
) -> None:
    anna = person(news, "anna")
    # A value that its field's type would not take any more stays as it is.
    Recipient.objects.filter(pk=anna.pk).update(
        attributes={"First name": "Anna", "City": "Bozen", "Age": "old"}
    )
    create_attribute(lists.account, actor=lists.actor, name="Age", type="number", group=news)
    client = client_of(edith)
    form = client.get(url("recipient-edit", news.pk, anna.pk)).context["form"]
    wish = {name: form[name].value() or "" for name in form.fields} | {field(news, "City"): "Meran"}
    answer = client.post(url("recipient-edit", news.pk, anna.pk), wish)
    assert answer.headers["Location"] == url("recipient-show", news.pk, anna.pk)
    anna.refresh_from_db()
    assert anna.attributes == {"First name": "Anna", "City": "Meran", "Age": "old"}
    assert anna.status == "active"
    (entry,) = AuditEntry.objects.filter(event="recipient.changed")
    assert entry.user == edith


def test_saving_an_old_form_changes_only_what_was_touched(
    lists: Lists, news: Group, edith: User, client_of: ClientOf, url: Address
) -> None:
    anna = person(news, "anna")
    for name, kind in (("Sex", "gender"), ("Born", "date"), ("About", "text")):
        create_attribute(lists.account, actor=lists.actor, name=name, type=kind, group=news)
    values = {"First name": "Ana", "City": "Bozen", "Sex": "female", "Born": "2001-02-03", "About": "a\nb"}
    Recipient.objects.filter(pk=anna.pk).update(attributes=values)
    client, path = client_of(edith), url("recipient-edit", news.pk, anna.pk)
    old = filled(client.get(path).text, with_field="email")
    # Meanwhile a colleague changes all the rest.
    now = {"First name": "Ana", "City": "Meran", "Sex": "diverse", "Born": "2001-03-02", "About": "c\nd"}
    Recipient.objects.filter(pk=anna.pk).update(
        attributes=now, source="fair", tags=["vip"], email="Anna@example.com"
    )
    assert client.post(path, old | {field(news, "First name"): "Anna"}).status_code == 302
    anna.refresh_from_db()
    assert anna.attributes == now | {"First name": "Anna"}
    assert (anna.source, anna.tags, anna.email) == ("fair", ["vip"], "Anna@example.com")


def test_saving_without_a_change_writes_nothing(
    news: Group, edith: User, client_of: ClientOf, url: Address
) -> None:
    anna = person(news, "anna")
    news.refresh_from_db()
    client = client_of(edith)
    form = client.get(url("recipient-edit", news.pk, anna.pk)).context["form"]
    wish = {name: form[name].value() or "" for name in form.fields}
    assert client.post(url("recipient-edit", news.pk, anna.pk), wish).status_code == 302
    assert Group.objects.get(pk=news.pk).revision == news.revision
    assert not events("recipient.changed")


def test_a_value_that_its_type_does_not_take_is_refused_beside_its_field(
    lists: Lists, news: Group, edith: User, client_of: ClientOf, url: Address
) -> None:
    create_attribute(lists.account, actor=lists.actor, name="Age", type="number", group=news)
    anna = person(news, "anna")
    path = url("recipient-edit", news.pk, anna.pk)
    client = client_of(edith)
    refused = client.post(path, {"email": anna.email, field(news, "Age"): "many"})
    assert field(news, "Age") in refused.context["form"].errors
    anna.refresh_from_db()
    assert "Age" not in anna.attributes
    client.post(path, {"email": anna.email, field(news, "Age"): "42"})
    anna.refresh_from_db()
    assert anna.attributes["Age"] == "42"


def test_an_editor_unsubscribes_somebody_after_being_asked(
    news: Group, edith: User, client_of: ClientOf, url: Address
) -> None:
    anna = person(news, "anna")
    client = client_of(edith)
    assert "Unsubscribe this person?" in client.get(url("recipient-unsubscribe", news.pk, anna.pk)).text
    client.post(url("recipient-unsubscribe", news.pk, anna.pk))
    anna.refresh_from_db()
    assert anna.status == "inactive"
    assert anna.activities.get().kind == "unsubscribed"
    news.refresh_from_db()
    assert (news.active_count, news.inactive_count) == (0, 2)


def test_only_owner_and_admin_make_somebody_active_again_and_say_why(
    news: Group, edith: User, adam: User, client_of: ClientOf, url: Address
) -> None:
    carla = person(news, "carla")
    path = url("recipient-reactivate", news.pk, carla.pk)
    assert client_of(edith).post(path, {"reason": "asked by phone"}).status_code == 403
    assert path not in client_of(edith).get(url("recipient-show", news.pk, carla.pk)).text
    client = client_of(adam)
    unsaid = client.post(path, {"reason": "  "})
    assert unsaid.context["form"].errors["reason"]
    carla.refresh_from_db()
    assert carla.status == "inactive"
    client.post(path, {"reason": "asked by phone"})
    carla.refresh_from_db()
    assert carla.status == "active"
    entry = AuditEntry.objects.get(event="consent.reactivated")
    assert (entry.user, entry.data["reason"]) == (adam, "asked by phone")


def test_a_removed_recipient_is_gone_and_an_unsubscription_remembered(
    news: Group, edith: User, client_of: ClientOf, url: Address
) -> None:
    client = client_of(edith)
    for name in ("anna", "carla"):
        path = url("recipient-remove", news.pk, person(news, name).pk)
        assert "Remove this person from the list?" in client.get(path).text
        assert client.post(path).headers["Location"] == url("group-show", news.pk)
    assert set(news.recipients.values_list("key", flat=True)) == {"bob@example.com", "dora@example.com"}
    assert list(OptOut.objects.values_list("key", flat=True)) == ["carla@example.com"]
    assert events("recipient.removed") == ["Edith", "Edith"]


def test_nobody_is_removed_from_a_locked_list(
    news: Group, olivia: User, edith: User, client_of: ClientOf, url: Address
) -> None:
    change_group(news, actor=acting(olivia), locked=True)
    path, client = url("recipient-remove", news.pk, person(news, "anna").pk), client_of(edith)
    asked = client.get(path).text
    assert "is locked" in asked
    assert "Remove this person from the list?" not in asked
    assert "is locked" in client.post(path, follow=True).text
    assert news.recipients.count() == 4
    assert not events("recipient.removed")


def test_a_recipient_of_another_list_is_not_in_this_one(
    lists: Lists, news: Group, olivia: User, client_of: ClientOf, url: Address
) -> None:
    other = lists.group("email\nzoe@example.com\n", name="Other")
    zoe = person(other, "zoe")
    client = client_of(olivia)
    for deed in ("show", "edit", "unsubscribe", "remove", "reactivate"):
        assert client.get(url(f"recipient-{deed}", news.pk, zoe.pk)).status_code == 404
    assert client.get(url("recipient-show", other.pk, zoe.pk)).status_code == 200
