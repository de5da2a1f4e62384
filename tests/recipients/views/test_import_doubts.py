"""What the wizard asks and warns of before anything is confirmed."""

from __future__ import annotations

from pathlib import Path

import pytest
import xlsxwriter

from backupsvc.accounts.models import User
from recipients.forms import days
from recipients.models import Change, Group, Import, Mode, Recipient
from tests.fixtures.wizard import Wizard, work

DATES = "email,Born\nanna@example.com,03/04/1984\nbob@example.com,05/06/1990\n"
BORN = {"column-1": "new", "name-1": "Born", "type-1": "date"}


def mapped(wizard: Wizard, text: str, *, mapping: dict[str, str] | None = None, **upload: object) -> Change:
    change = wizard.begin(text, **upload)
    assert wizard.post("import-map", change, **(wizard.filled(change) | (mapping or {}))).status_code == 302
    return change


MODE = {"mode": "reform_and_add", "blank": "keep", "new_status": "active"}


def test_dates_that_could_be_either_are_asked_and_not_guessed(wizard: Wizard) -> None:
    change = mapped(wizard, DATES, mapping=BORN)
    page = wizard.get("import-mode", change)
    assert "please choose" in page
    assert "“03/04/1984” is 3 April 1984" in page
    assert "“03/04/1984” is 4 March 1984" in page
    asked = wizard.post("import-mode", change, **MODE)
    assert asked.status_code == 200
    assert "Choose what comes first" in asked.content.decode()
    change.refresh_from_db()
    assert change.state == "draft"

    assert wizard.post("import-mode", change, **MODE, **{"order-1": "month"}).status_code == 302
    work()
    assert wizard.post("change-confirm", change).status_code == 302
    work()
    born = {one.key: one.attributes["Born"] for one in Recipient.objects.all()}
    assert born == {"anna@example.com": "1984-03-04", "bob@example.com": "1990-05-06"}


def test_a_date_in_full_is_written_as_its_readers_write_it(
    wizard: Wizard, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Catalogs are compiled when the product is set up, not for its tests; Django brings the months.
    monkeypatch.setattr(days, "pgettext", lambda _context, text: {"j F Y": "j. F Y"}[text])
    change = mapped(wizard, DATES, mapping=BORN)
    User.objects.update(language="de")
    assert " 4. März 1984" in wizard.get("import-mode", change)


def test_dates_that_tell_are_shown_and_can_be_read_the_other_way(wizard: Wizard) -> None:
    change = mapped(wizard, DATES + "zoe@example.com,23/04/2001\n", mapping=BORN)
    page = wizard.get("import-mode", change)
    assert "please choose" not in page
    assert "1 cell says so." in page
    form = wizard.client.get(wizard.url("import-mode", change)).context["form"]
    assert form["order-1"].value() == "day"
    assert wizard.post("import-mode", change, **MODE).status_code == 302  # as the column says
    work()
    assert wizard.post("import-mode", change, **MODE, **{"order-1": "month"}).status_code == 302
    work()
    change.refresh_from_db()
    assert (change.preview["added"], change.preview["rejected"]) == (3, 0)
    assert wizard.post("change-confirm", change).status_code == 302
    work()
    born = {one.key: one.attributes["Born"] for one in Recipient.objects.all()}
    assert born["anna@example.com"] == "1984-03-04"
    assert born["zoe@example.com"] == "2001-04-23"


def test_numbers_that_could_be_either_are_asked(wizard: Wizard) -> None:
    text = "email,Points\nanna@example.com,1.234\nbob@example.com,2.500\n"
    change = mapped(wizard, text, mapping={"column-1": "new", "name-1": "Points", "type-1": "number"})
    assert wizard.post("import-mode", change, **MODE).status_code == 200
    assert wizard.post("import-mode", change, **MODE, **{"order-1": ","}).status_code == 302
    work()
    assert wizard.post("change-confirm", change).status_code == 302
    work()
    points = {one.attributes["Points"] for one in Recipient.objects.all()}
    assert points == {"1234", "2500"}


def test_the_words_of_a_status_are_shown_before_they_count(wizard: Wizard) -> None:
    change = mapped(
        wizard, "email,Newsletter\na@example.com,ja\nb@example.com,nein\nc@example.com,vielleicht\n"
    )
    page = " ".join(wizard.get("import-mode", change).split())
    assert "not known: the row is rejected" in page
    (words,) = wizard.client.get(wizard.url("import-mode", change)).context["form"].words()
    assert [(one.text, str(one.status), one.is_unknown) for one in words.words] == [
        ("ja", "Active", False),
        ("nein", "Unsubscribed", False),
        ("vielleicht", "", True),
    ]


def test_what_looks_wrong_has_to_be_ticked_and_says_what_it_is(wizard: Wizard) -> None:
    change = mapped(wizard, "email\nanna@example.com\nbroken\nworse\n")
    wizard.post("import-mode", change, **MODE)
    work()
    page = wizard.get("change-preview", change)
    assert "2 of 3 rows cannot be used" in page
    assert "<bdi>broken</bdi><bdi>worse</bdi>" in page
    refused = wizard.post("change-confirm", change)
    assert refused.status_code == 200
    assert "Tick this to go on" in refused.content.decode()
    change.refresh_from_db()
    assert change.state == "preview"
    assert wizard.post("change-confirm", change, seen="on").status_code == 302


def test_what_is_only_worth_a_look_needs_no_tick(wizard: Wizard) -> None:
    change = mapped(wizard, "email\nAnna <anna@gmial.com>\nbob@example.com\nzoe@example.com\n")
    wizard.post("import-mode", change, **MODE)
    work()
    page = wizard.get("change-preview", change)
    assert "Worth a look" in page
    assert "gmial.com → gmail.com (1)" in page
    assert "“Anna &lt;anna@gmial.com&gt;” → anna@gmial.com" in page
    assert wizard.post("change-confirm", change).status_code == 302
    work()
    assert Recipient.objects.filter(key="anna@gmial.com").exists()


def test_rows_that_a_spreadsheet_hides_have_to_be_ticked(wizard: Wizard, tmp_path: Path) -> None:
    path = tmp_path / "people.xlsx"
    with xlsxwriter.Workbook(str(path)) as workbook:
        sheet = workbook.add_worksheet()
        sheet.write_column(0, 0, ["email", "anna@example.com", "gone@example.com"])
        sheet.set_row(2, options={"hidden": True})
    change = wizard.begin(path.read_bytes(), file_name=path.name)
    said = "Rows that the spreadsheet hides, by hand or by a filter: 1."
    assert said in wizard.get("import-read", change)
    assert wizard.preview(change).preview["added"] == 2
    assert said in wizard.get("change-preview", change)
    assert "Tick this to go on" in wizard.post("change-confirm", change).content.decode()


@pytest.mark.parametrize(
    ("name", "said", "doubt"),
    [
        ("G\ufffdrtner", "Characters that were lost", "doubt.replaced"),
        ("MÃ¼ller", "encoded twice", "doubt.twice_encoded"),
    ],
)
def test_a_misread_file_is_pointed_out_while_it_is_read_and_before_it_is_written(
    wizard: Wizard, name: str, said: str, doubt: str
) -> None:
    change = wizard.begin(f"email;Name\nanna@example.com;{name}\nbob@example.com;{name}\n")
    page = wizard.get("import-read", change)
    assert said in page
    assert "please look closely" in page
    assert "lost before the file came here" not in page
    wizard.preview(change)
    assert [code for code, _ in change.preview["doubts"]] == [doubt]
    assert "Look at this first" in wizard.get("change-preview", change)


def test_a_file_read_as_one_column_is_pointed_out(wizard: Wizard) -> None:
    change = wizard.begin("email;Name\nanna@example.com;Anna\nbob@example.com;Bob\n")
    assert "surely read right" in wizard.get("import-read", change)
    form = wizard.client.get(wizard.url("import-read", change)).context["form"]
    fields = {name: form[name].value() for name in form.fields} | {"delimiter": "x"}
    wizard.post("import-read", change, **fields)
    page = wizard.get("import-read", change)
    assert "Everything stands in one column, although most rows hold the mark “;”" in page


def big_list(wizard: Wizard, count: int = 30) -> Group:
    rows = "".join(f"p{number}@example.com\n" for number in range(count))
    change = wizard.whole_way("email\n" + rows, upload={"name": "Big"})
    assert change.group is not None
    return change.group


def previewed(wizard: Wizard, text: str, *, into: Group, file_name: str = "x.csv", **mode: str) -> list[str]:
    """The codes of what the preview warns of."""
    change = mapped(wizard, text, target="existing", group=into.pk, file_name=file_name)
    assert wizard.post("import-mode", change, **(MODE | mode)).status_code == 302
    work()
    change.refresh_from_db()
    return [code for code, _ in change.preview["doubts"]]


def test_an_import_that_changes_most_of_a_list_is_doubted(wizard: Wizard) -> None:
    group = big_list(wizard)
    most = "email\n" + "".join(f"p{number}@example.com\n" for number in range(20))
    assert previewed(wizard, most, into=group, mode=Mode.DELETE) == ["doubt.takes_most"]
    assert previewed(wizard, most, into=group, mode=Mode.DEACTIVATE) == ["doubt.takes_most"]
    out = "email,status\n" + "".join(f"p{number}@example.com,abgemeldet\n" for number in range(20))
    assert previewed(wizard, out, into=group) == ["doubt.signs_off"]
    assert previewed(wizard, most, into=group) == []


def test_far_fewer_and_far_more_rows_than_the_list_has_are_told(wizard: Wizard) -> None:
    group = big_list(wizard)
    assert previewed(wizard, "email\np1@example.com\nnew@example.com\n", into=group) == ["doubt.far_fewer"]
    many = "email\n" + "".join(f"q{number}@example.com\n" for number in range(301))
    assert previewed(wizard, many, into=group) == ["doubt.far_more"]


def test_a_file_that_is_called_after_people_who_left_makes_nobody_active_unseen(wizard: Wizard) -> None:
    change = mapped(wizard, "email\nanna@example.com\n", file_name="unsubscribed_members_export.csv")
    wizard.post("import-mode", change, **MODE)
    work()
    assert wizard.post("change-confirm", change).status_code == 200
    change.refresh_from_db()
    assert [code for code, _ in change.preview["doubts"]] == ["doubt.name_says_out"]
    wizard.post("import-mode", change, **(MODE | {"new_status": "unconfirmed"}))
    work()
    change.refresh_from_db()
    assert change.preview["doubts"] == []


def test_the_same_address_in_most_rows_is_doubted(wizard: Wizard) -> None:
    change = mapped(wizard, "email,Name\n" + "shop@example.com,X\n" * 5)
    wizard.post("import-mode", change, **MODE)
    work()
    change.refresh_from_db()
    assert [code for code, _ in change.preview["doubts"]] == ["doubt.duplicates"]


def test_nothing_of_it_is_asked_for_a_file_from_here(wizard: Wizard) -> None:
    text = "email,status,registered,activated,deactivated,source,signup_ip,tags\na@example.com,active,,,,,,\n"
    change = mapped(wizard, text)
    assert Import.objects.get(pk=change.pk).dialect["survey"]["readings"] == []
    assert "How the cells are read" not in wizard.get("import-mode", change)


MAY = {"file_name": "mai.csv"}
TOOL = "Mail,Wohnort,Rang,Newsletter\n"


def test_the_mapping_used_last_for_the_same_columns_is_proposed_again(wizard: Wizard) -> None:
    town = {"column-1": "new", "name-1": "Heimat", "type-1": "text", "column-2": ""}
    first = wizard.whole_way(
        TOOL + "anna@example.com,Bozen,1,ja\n", mapping=town, upload={"file_name": "mai.csv"}
    )
    again = wizard.begin(TOOL + "bob@example.com,Wien,2,nein\n", target="existing", group=first.group_id)
    page = wizard.get("import-map", again)
    assert "Assigned as for mai.csv" in page
    proposed = wizard.filled(again)
    assert [proposed[f"column-{n}"] for n in range(4)] == ["email", "attribute:Heimat", "", "status"]

    by_names = wizard.client.post(wizard.url("import-map", again), {**proposed, "by_names": "1"})
    assert "Assigned as for" not in by_names.content.decode()
    assert by_names.context["form"]["column-1"].value() == ""

    other = wizard.begin(TOOL + "carl@example.com,Rom,3,ja\n", name="Another list")
    assert wizard.filled(other)["column-1"] == "attribute:Heimat"


def test_a_mapping_that_was_never_confirmed_or_is_of_other_columns_is_not_remembered(wizard: Wizard) -> None:
    town = {"column-1": "new", "name-1": "Heimat", "type-1": "text"}
    wizard.preview(wizard.begin(TOOL + "anna@example.com,Bozen,1,ja\n"), mapping=town)
    again = wizard.begin(TOOL + "bob@example.com,Wien,2,nein\n", name="Other")
    assert "Assigned as for" not in wizard.get("import-map", again)
    wizard.whole_way(TOOL + "anna@example.com,Bozen,1,ja\n", mapping=town, upload={"name": "Third"})
    other = wizard.begin("Mail,Wohnort,Rang\nbob@example.com,Wien,2\n", name="Fourth")
    assert "Assigned as for" not in wizard.get("import-map", other)


def test_a_remembered_mapping_leaves_nobodys_opt_out_aside_unasked(wizard: Wizard) -> None:
    left_out = {"column-3": "", "leave_signup_out": "on"}
    wizard.whole_way(TOOL + "anna@example.com,Bozen,1,nein\n", mapping=left_out)
    again = wizard.begin(TOOL + "bob@example.com,Wien,2,nein\n", name="Other")
    asked = wizard.post("import-map", again, **wizard.filled(again))
    assert asked.status_code == 200
    assert "left out, or kept as a field only: Newsletter" in asked.content.decode()


def test_a_new_field_gets_a_type_that_its_cells_fit(wizard: Wizard) -> None:
    text = "email,Geburtstag,Birthday,Anrede,Gender\na@example.com,24.12.1980,12/24,Dr.,w\n"
    change = wizard.begin(text)
    page = wizard.client.post(wizard.url("import-map", change), {**wizard.filled(change), "use_all": "1"})
    form = page.context["form"]
    assert [form[f"type-{n}"].value() for n in range(1, 5)] == ["date", "text", "text", "gender"]


def test_nobody_is_named_by_an_import_that_has_ended(wizard: Wizard) -> None:
    change = wizard.whole_way("email,status\nAnna <anna@example.com>,yes\nbob@example.com,yes\n")
    run = Import.objects.get(pk=change.pk)
    kept = f"{change.preview} {run.dialect}"
    assert "anna" not in kept
    assert "bob" not in kept
