"""The way of an import through the pages: upload, check, columns, mode, preview, result.

One file although it is long: each page begins where the one before ended.
"""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from pytest_django.fixtures import Settings

from backups.models import Snapshot
from backupsvc.accounts.models import AuditEntry, User
from backupsvc.jobs.runner import drain
from recipients.actions import surveys
from recipients.actions.attributes import create_attribute
from recipients.actions.groups import create_group
from recipients.actions.recipients import unsubscribe
from recipients.models import Attribute, Change, Group, Import, Recipient
from tests.fixtures.cast import ClientOf
from tests.fixtures.lists import Lists, table
from tests.fixtures.wizard import Wizard, work

PEOPLE = "email,First name\nanna@example.com,Anna\nbob@example.com,Bob\n"


def test_a_file_becomes_a_new_list_by_forms_alone(wizard: Wizard) -> None:
    change = wizard.begin("email,First name,Shoe size\nanna@example.com,Anna,38\nbob@example.com,Bob,44\n")
    page = wizard.get("import-read", change)
    assert "about 2 rows" in page
    assert "anna@example.com" in page
    assert wizard.post("import-read", change, **reading(wizard, change)).status_code == 302
    wizard.preview(
        change,
        mapping={
            "column-1": "new",
            "name-1": "Vorname",
            "type-1": "text",
            "column-2": "new",
            "name-2": "Shoe size",
            "type-2": "number",
        },
    )
    page = wizard.get("change-preview", change)
    assert "2 rows" in page
    assert "people is new" in page
    wizard.post("change-confirm", change)
    assert "Write to the list" in wizard.get("change-progress", change)
    work()
    assert "Imported" in wizard.get("change-result", change)
    group = Group.objects.get(name="people")
    assert Recipient.objects.get(group=group, key="anna@example.com").attributes == {
        "Vorname": "Anna",
        "Shoe size": "38",
    }
    assert set(Attribute.objects.values_list("name", "type")) == {
        ("Vorname", "text"),
        ("Shoe size", "number"),
    }


def reading(wizard: Wizard, change: Change, **changed: str) -> dict[str, str]:
    form = wizard.client.get(wizard.url("import-read", change)).context["form"]
    return {name: str(form[name].value()) for name in form.fields} | changed


def test_importing_into_a_list_makes_the_backup_that_the_preview_announced(
    wizard: Wizard, lists: Lists
) -> None:
    group = lists.group(PEOPLE)
    change = wizard.begin("email,First name\ncarl@example.com,Carl\n", target="existing", group=group.pk)
    wizard.preview(change)
    assert "A backup of News will be made first" in wizard.get("change-preview", change)
    wizard.post("change-confirm", change)
    work()
    snapshot = Snapshot.objects.get()
    assert reverse("backups:show", args=["acme", snapshot.pk]) in wizard.get("change-result", change)
    assert snapshot.recipients == 2
    assert Recipient.objects.filter(group=group).count() == 3


def test_nothing_is_changed_and_nothing_left_behind_when_the_preview_is_cancelled(
    wizard: Wizard, lists: Lists
) -> None:
    group = lists.group(PEOPLE)
    before = table(group)
    change = wizard.preview(
        wizard.begin("email,First name\nanna@example.com,Changed\n", target="existing", group=group.pk)
    )
    cancelled = wizard.post("change-cancel", change, sure="preview")
    assert cancelled.headers["Location"] == wizard.url("change-result", change)
    assert "Nothing was changed." in wizard.get("change-result", change)
    assert table(group) == before
    assert Import.objects.get(pk=change.pk).upload == ""


def test_a_new_list_is_called_like_its_file_unless_that_name_is_taken(wizard: Wizard, lists: Lists) -> None:
    create_group(lists.account, actor=lists.actor, name="summer fair")
    response = wizard.upload(PEOPLE, file_name="summer_fair.csv")
    page = response.content.decode()
    assert response.status_code == 200
    assert "already a list called “summer fair”" in page
    assert 'value="summer fair"' in page


def test_pasted_addresses_are_as_good_as_a_file(wizard: Wizard) -> None:
    response = wizard.post(
        "import-new", target="new", name="Pasted", text="anna@example.com\nbob@example.com\n"
    )
    change = Change.objects.get()
    assert response.headers["Location"] == wizard.url("import-read", change)
    wizard.preview(change)
    wizard.post("change-confirm", change)
    work()
    assert Group.objects.get(name="Pasted").recipients_count == 2


LINE_OF_A_MAIL = (
    'Ann Smith <anna@example.com>; "Jones, Bob" <bob@example.com>;\r\n\r\n\r\n'
    "Carl <carl@example.com>, dora@example.com\r\n"
)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("anna@example.com; bob@example.com; carl@example.com", 3),
        ("anna@example.com,bob@example.com,carl@example.com,", 3),
        ("anna@example.com bob@example.com  carl@example.com\n", 3),
        ("Jones, Bob <bob@example.com>; Smith, Ann <anna@example.com>", 2),
        ("Ann <anna@example.com>, bob@example.com; carl@example.com", 3),
        ("anna@example.com; noreply@example.com; bob@example.com\n", 2),
        (LINE_OF_A_MAIL, 4),
    ],
)
def test_the_addresses_that_a_mail_goes_to_are_a_recipient_each(
    wizard: Wizard, text: str, count: int
) -> None:
    wizard.post("import-new", target="new", name="Pasted", text=text)
    change = wizard.preview(Change.objects.get())
    wizard.post("change-confirm", change, seen="on")
    work()
    keys = ["anna@example.com", "bob@example.com", "carl@example.com", "dora@example.com"]
    assert sorted(table(Group.objects.get(name="Pasted"))) == keys[:count]
    assert not Attribute.objects.exists()


@pytest.mark.parametrize(
    "text",
    [
        "email;email 2\nanna@example.com;bob@example.com\n",
        "anna@example.com;Anna\nbob@example.com; carl@example.com\n",
        "anna@example.com, bob@example\n",
        "Please write to anna@example.com and bob@example.com\n",
        "anna@example.com\n\nbob@example.com <bob@example.com>\n",
    ],
)
def test_pasted_text_that_holds_anything_but_addresses_stays_as_it_is(
    wizard: Wizard, uploads: Path, text: str
) -> None:
    wizard.post("import-new", target="new", name="Pasted", text=text)
    assert (uploads / Import.objects.get().upload).read_text(encoding="utf-8") == text


def test_what_was_pasted_is_never_called_a_file(wizard: Wizard, lists: Lists) -> None:
    group = lists.group(PEOPLE)
    pages = []
    # The second time the columns are remembered.
    for name in ("Carl", "Cid"):
        text = f"email,First name\n{name}@example.com,{name}\n"
        wizard.post("import-new", target="existing", group=group.pk, text=text)
        change = Change.objects.latest("pk")
        pages += [wizard.get(page, change) for page in ("import-read", "import-map")]
        wizard.preview(change)
        pages.append(wizard.get("change-preview", change))
        wizard.post("change-confirm", change)
        work()
        pages.append(wizard.get("change-result", change))
    snapshot = Snapshot.objects.latest("pk")
    group_page = reverse("recipients:group-changes", args=["acme", group.pk])
    backups = [reverse("backups:list", args=["acme"]), reverse("backups:show", args=["acme", snapshot.pk])]
    pages += [wizard.client.get(path).text for path in (group_page, *backups)]
    assert not [page for page in pages if "pasted.txt" in page]
    assert sum("pasted text" in page for page in pages) >= 8
    assert "Import of pasted text" in pages[-3]
    assert snapshot.detail == Import.objects.latest("pk").file_name == "pasted.txt"


@pytest.mark.parametrize("checks_tokens", [True, False])
def test_pasting_too_much_says_so(checks_tokens: bool, wizard: Wizard, settings: Settings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000
    # Where tokens are checked, the form is read before any view sees it.
    wizard.get("import-new")
    wizard.client.handler.enforce_csrf_checks = checks_tokens
    path = wizard.url("import-new") + "?group="
    text = "anna@example.com\n" * 100
    refused = wizard.client.post(path, {"target": "new", "name": "Pasted", "text": text})
    assert (refused.status_code, refused.headers["Location"]) == (302, path)
    assert "This is too much text to be pasted." in wizard.get("import-new")
    assert not Change.objects.exists()


def test_another_form_that_is_too_long_is_not_said_to_be_pasted(wizard: Wizard, settings: Settings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000
    change = wizard.begin(PEOPLE)
    refused = wizard.post("import-map", change, name="x" * 2_000)
    assert refused.status_code == 400
    assert "was damaged on the way" in refused.content.decode()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"target": "new", "name": "X"}, "Choose a file, or paste addresses below."),
        ({"target": "existing", "text": "a@example.com"}, "Choose the list."),
        ({"target": "new", "name": "X", "text": "a@example.com", "file": "both"}, "not both"),
        ({"target": "new", "name": "X", "file": "empty"}, "The file is empty."),
        ({"target": "new", "name": "\x07", "text": "a@example.com"}, "name"),
    ],
)
def test_an_upload_that_makes_no_sense_is_refused_in_words(
    wizard: Wizard, lists: Lists, fields: dict[str, Any], said: str
) -> None:
    create_group(lists.account, actor=lists.actor, name="Some")
    contents = {"both": b"email\na@example.com\n", "empty": b""}
    if "file" in fields:
        fields = fields | {"file": SimpleUploadedFile("x.csv", contents[fields["file"]])}
    response = wizard.post("import-new", **fields)
    assert response.status_code == 200
    assert said in response.content.decode()
    assert not Change.objects.exists()


def test_a_file_over_the_limit_is_said_on_the_form(wizard: Wizard, settings: Settings) -> None:
    settings.UPLOAD_LIMIT_BYTES = 1000
    response = wizard.upload(b"email\n" + b"anna@example.com\n" * 200)
    assert response.status_code == 200
    assert "The file is larger than" in response.content.decode()
    assert not Change.objects.exists()


def test_what_was_read_can_be_corrected_and_is_shown_at_once(wizard: Wizard) -> None:
    text = "email;Name\nanna@example.com;Gärtner\n"
    change = wizard.begin(text.encode("cp1252"))
    fields = reading(wizard, change, encoding="cp1251")
    page = wizard.client.post(wizard.url("import-read", change), fields, headers={"HX-Request": "true"})
    assert "Gдrtner" in page.content.decode()
    assert "<html" not in page.content.decode()
    assert Import.objects.get().dialect_overrides == {"encoding": "cp1251"}
    response = wizard.post("import-read", change, **reading(wizard, change), automatic="1")
    assert "Gärtner" in response.content.decode()
    assert Import.objects.get().dialect_overrides == {}


def test_going_on_without_a_correction_keeps_what_was_found_out(wizard: Wizard) -> None:
    change = wizard.begin("email\tName\nanna@example.com\tAnna\n")
    assert wizard.post("import-read", change, **reading(wizard, change)).status_code == 302
    assert Import.objects.get().dialect_overrides == {}


def test_a_first_line_that_is_a_recipient_is_not_taken_for_names(wizard: Wizard) -> None:
    change = wizard.begin("anna@example.com,Anna\nbob@example.com,Bob\n")
    page = wizard.get("import-read", change)
    assert "Column 1" in page
    assert "so the columns are numbered" in page


def test_a_column_of_sign_up_information_is_left_out_only_on_purpose(wizard: Wizard) -> None:
    change = wizard.begin("email,Status\nanna@example.com,unsubscribed\n")
    fields = wizard.filled(change) | {"column-1": ""}
    response = wizard.post("import-map", change, **fields)
    page = response.content.decode()
    assert response.status_code == 200
    assert "left out, or kept as a field only: Status" in page
    assert "leave_signup_out" in page
    assert wizard.post("import-map", change, **fields, leave_signup_out="on").status_code == 302
    assert Import.objects.get().leaves_signup_out


def test_an_opt_out_that_is_found_while_the_rows_are_read_can_be_left_out_on_purpose(
    wizard: Wizard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surveys, "SURVEYED_ROWS", 1)
    change = wizard.begin("email,Newsletter-Wunsch\nanna@example.com,\nbob@example.com,abbestellt\n")
    wizard.preview(change, mapping={"column-1": ""})
    assert "left out, or kept as a field only: Newsletter-Wunsch" in wizard.get("change-preview", change)
    assert "leave_signup_out" in wizard.get("import-map", change)


def test_a_mapping_without_an_address_is_refused_where_it_was_made(wizard: Wizard) -> None:
    change = wizard.begin(PEOPLE)
    response = wizard.post("import-map", change, **(wizard.filled(change) | {"column-0": ""}))
    assert "No column is assigned to the e-mail address." in response.content.decode()


def test_every_column_can_become_a_field_with_one_click(wizard: Wizard) -> None:
    change = wizard.begin("email,First name,Geburtstag\nanna@example.com,Anna,1990-05-06\n")
    response = wizard.post("import-map", change, **wizard.filled(change), use_all="1")
    form = response.context["form"]  # type: ignore[attr-defined]  # the test client puts it there
    assert [form[f"column-{n}"].value() for n in range(3)] == ["email", "new", "new"]


def test_everybody_can_get_the_same_value(wizard: Wizard, lists: Lists) -> None:
    create_attribute(lists.account, actor=lists.actor, name="Score", type="number")
    change = wizard.begin("email\nanna@example.com\n")
    fields = wizard.filled(change) | {"fixed_target": "attribute:Score", "fixed_value": "many"}
    assert "is not a number" in wizard.post("import-map", change, **fields).content.decode()
    wizard.preview(change, mapping={"fixed_target": "attribute:Score", "fixed_value": "12"})
    wizard.post("change-confirm", change)
    work()
    assert Recipient.objects.get().attributes == {"Score": "12"}


def test_what_new_recipients_become_is_asked_and_never_guessed(wizard: Wizard) -> None:
    change = wizard.begin(PEOPLE)
    wizard.post("import-map", change, **wizard.filled(change))
    page = wizard.get("import-mode", change)
    (active,) = re.findall(r'<input[^>]*name="new_status"\s+value="active"[^>]*>', page)
    assert "checked" not in active
    response = wizard.post("import-mode", change, mode="reform_and_add", blank="keep")
    assert "Choose what new recipients become." in response.content.decode()
    change.refresh_from_db()
    assert change.state == "draft"


def test_the_words_that_a_bad_status_is_told_are_understood(wizard: Wizard) -> None:
    page = wizard.get("change-preview", wizard.preview(wizard.begin("email,status\na@example.com,perhaps\n")))
    (told,) = re.findall(r"is not a status\. Use ([a-z, ]+)\.", page)
    words = re.split(", | or ", told)
    assert words == ["active", "unconfirmed", "unsubscribed", "bounced"]
    rows = "".join(f"{word}@example.com,{word}\n" for word in words)
    wizard.whole_way(f"email,status\n{rows}", upload={"name": "Mended"})
    found = {recipient.email: recipient.status for recipient in Recipient.objects.all()}
    meant = ["active", "unconfirmed", "inactive", "bounced"]
    assert found == {f"{word}@example.com": status for word, status in zip(words, meant, strict=True)}


def test_our_own_file_comes_back_with_next_alone(wizard: Wizard, lists: Lists) -> None:
    group = lists.group(
        "email,status,registered,tags,First name\n"
        "anna@example.com,active,2024-05-01T10:00:00Z,vip,Anna\n"
        "ben@example.com,unsubscribed,2023-01-01T00:00:00Z,,Ben\n"
        "eve@example.com,unconfirmed,2023-01-02T00:00:00Z,,'=Eve\n"
    )
    kept = make_backup(lists, group)
    download = wizard.client.post(reverse("backups:download", args=["acme", kept.pk, "csv"]))
    change = wizard.begin(download.getvalue(), file_name="back.csv")
    assert "A file from here" in wizard.get("import-read", change)
    assert wizard.post("import-read", change, **reading(wizard, change)).status_code == 302
    assert wizard.post("import-map", change, **wizard.filled(change)).status_code == 302
    assert "What do new recipients become?" not in wizard.get("import-mode", change)
    assert wizard.post("import-mode", change, mode="reform_and_add", blank="clear").status_code == 302
    work()
    wizard.post("change-confirm", change)
    work()
    assert table(Group.objects.get(name="back")) == table(group)


def make_backup(lists: Lists, group: Group) -> Snapshot:
    from backups.actions.snapshots import request_snapshot  # noqa: PLC0415

    snapshot, job = request_snapshot(group, actor=lists.actor)
    drain(job)
    snapshot.refresh_from_db()
    return snapshot


def test_rejected_rows_download_mend_and_go_in(wizard: Wizard, lists: Lists) -> None:
    create_attribute(lists.account, actor=lists.actor, name="Phone")
    change = wizard.whole_way('email,Phone\nanna@example.com,1\nbroken,+49 170\nabuse@example.com,"=1+1"\n')
    page = wizard.get("change-result", change)
    assert "2 rows cannot be used" in page
    assert "An e-mail address needs an @." in page
    assert wizard.client.get(wizard.url("change-rejected", change)).status_code == 405
    assert not AuditEntry.objects.filter(event="import.rejects_downloaded").exists()
    response = wizard.client.post(wizard.url("change-rejected", change))
    entry = AuditEntry.objects.get(event="import.rejects_downloaded")
    assert (entry.user, entry.data["rows"], entry.data["change"]) == (lists.owner, 2, change.pk)
    assert response.headers["Content-Disposition"].startswith('attachment; filename="people-rejected-')
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"] == "no-store"
    content = response.getvalue().decode()
    rows = list(csv.reader(io.StringIO(content.removeprefix("\ufeff"))))
    assert rows[0] == ["email", "Phone", "rejected_line", "rejected_why", "spreadsheet_safe"]
    assert [row[:3] for row in rows[1:]] == [["broken", "'+49 170", "3"], ["abuse@example.com", "'=1+1", "4"]]
    mended = content.replace("broken", "carl@example.com").replace("abuse@", "dora@")
    again = wizard.whole_way(
        mended, upload={"target": "existing", "group": change.group_id, "file_name": "mended.csv"}
    )
    assert (again.added, again.rejected) == (2, 0)
    assert Recipient.objects.get(key="carl@example.com").attributes == {"Phone": "+49 170"}
    assert Recipient.objects.get(key="dora@example.com").attributes == {"Phone": "=1+1"}
    assert not Attribute.objects.filter(name__startswith="rejected").exists()


def test_a_file_without_one_good_row_still_shows_why(wizard: Wizard) -> None:
    change = wizard.preview(wizard.begin("email\nbroken\nbad\n"))
    page = wizard.get("change-preview", change)
    assert "2 rows cannot be used" in page


def test_a_file_without_any_row_leads_back_with_the_reason(wizard: Wizard) -> None:
    change = wizard.preview(wizard.begin("email,First name\n"))
    page = wizard.get("change-preview", change)
    assert "Nothing was changed." in page
    assert wizard.url("import-map", change) in page


def test_what_was_chosen_can_be_chosen_anew_after_the_preview(wizard: Wizard, lists: Lists) -> None:
    group = lists.group(PEOPLE)
    change = wizard.preview(
        wizard.begin(
            "email,First name\nanna@example.com,X\nzoe@example.com,Z\n", target="existing", group=group.pk
        )
    )
    wizard.post("import-mode", change, mode="update_only", blank="keep")
    work()
    wizard.post("change-confirm", change)
    work()
    assert set(Recipient.objects.values_list("key", flat=True)) == {"anna@example.com", "bob@example.com"}


def test_a_new_mapping_is_never_confirmed_on_the_rows_of_the_old_one(wizard: Wizard) -> None:
    change = wizard.preview(wizard.begin(PEOPLE))
    wizard.post("import-map", change, **(wizard.filled(change) | {"column-1": "tags"}))
    wizard.post("change-confirm", change)
    change.refresh_from_db()
    assert change.state == "draft"
    assert not Recipient.objects.exists()


def test_an_import_that_runs_cannot_be_changed_by_its_old_pages(wizard: Wizard) -> None:
    change = wizard.preview(wizard.begin(PEOPLE))
    wizard.post("change-confirm", change)
    for name in ("import-read", "import-map", "import-mode"):
        response = wizard.client.get(wizard.url(name, change))
        assert response.headers["Location"] == wizard.url("change-progress", change)


def test_odd_names_are_shown_as_they_are_and_run_nowhere(wizard: Wizard) -> None:
    odd = "<script>alert(1)</script>"
    change = wizard.begin(f"email,{odd}\nanna@example.com,{odd}\n", file_name="<b>.csv", name=f"{odd} ünï")
    wizard.preview(change)
    for name in ("import-read", "import-map", "import-mode", "change-preview"):
        page = wizard.get(name, change)
        assert odd not in page
        assert "&lt;script&gt;" in page


@pytest.mark.parametrize("name", ["import-new", "import-read", "import-map", "import-mode"])
def test_who_may_only_look_imports_nothing(
    lists: Lists, client_of: ClientOf, victor: User, stranger: User, name: str
) -> None:
    run = lists.draft(PEOPLE)
    arguments = ["acme"] if name == "import-new" else ["acme", run.pk]
    url = reverse(f"recipients:{name}", args=arguments)
    assert client_of(victor).get(url).status_code == 403
    assert client_of(victor).post(url).status_code == 403
    assert client_of(stranger).get(url).status_code == 404
    assert client_of(stranger).post(url).status_code == 404


def test_the_list_of_another_account_cannot_be_asked_for(
    lists: Lists, client_of: ClientOf, stranger: User
) -> None:
    group = lists.group(PEOPLE)
    client = client_of(stranger)
    url = reverse("recipients:import-new", args=["other"])
    assert client.get(url, {"group": group.pk}).status_code == 404
    assert client.get(url, {"group": "x"}).status_code == 404
    response = client.post(url, {"target": "existing", "group": group.pk, "text": "x@example.com"})
    assert response.status_code == 200
    assert not Change.objects.filter(account__slug="other").exists()


def test_who_was_unsubscribed_is_listed_before_the_import(wizard: Wizard, lists: Lists) -> None:
    group = lists.group(PEOPLE)
    unsubscribe(Recipient.objects.get(key="anna@example.com"), actor=lists.actor)
    change = wizard.preview(
        wizard.begin("email,status\nanna@example.com,active\n", target="existing", group=group.pk)
    )
    page = wizard.get("change-preview", change)
    assert "1 stays unsubscribed" in page
    assert "anna@example.com" in page
