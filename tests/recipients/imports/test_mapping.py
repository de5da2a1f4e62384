"""Which column goes where, by itself and by hand."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from backupsvc.errors import Refusal
from recipients.imports.columns import FIELDS
from recipients.imports.mapping import AttributeSpec, Mapping, apply_names, suggest, unmapped_signup, validate
from recipients.values import SAFE_MARKER

NAME = AttributeSpec("Vorname", "text")
CITY = AttributeSpec("home_city", "text")


def columns(
    headers: Sequence[str], samples: Sequence[Sequence[str]] = (), attributes: Sequence[AttributeSpec] = ()
) -> list[str]:
    return list(suggest(headers, samples=samples, attributes=attributes).columns)


@pytest.mark.parametrize(
    ("headers", "targets"),
    [
        (FIELDS, FIELDS),
        (
            ["E-Mail", "Registriert am", "Aktiviert", "Deaktiviert am", "Quelle", "IP-Adresse", "Stichwort"],
            ["email", "registered", "activated", "deactivated", "source", "signup_ip", ""],
        ),
        (
            ["Indirizzo email", "Stato", "Data iscrizione", "Data attivazione", "Disattivato il", "Fonte"],
            ["email", "status", "registered", "activated", "deactivated", "source"],
        ),
        (
            ["Email Address", "OPTIN_TIME", "CONFIRM_TIME", "CONFIRM_IP", "UNSUB_TIME", "TAGS", "LEID"],
            ["email", "registered", "activated", "signup_ip", "deactivated", "tags", ""],
        ),
        (["id", "email", "activated", "registered", "deactivated", "source", "ip"],
         ["", "email", "activated", "registered", "deactivated", "source", "signup_ip"]),
        (["Given Name", "Family Name", "E-mail 1 - Value"], ["", "", "email"]),
    ],
)  # fmt: skip
def test_the_names_of_many_programs_are_known(headers: Sequence[str], targets: Sequence[str]) -> None:
    assert columns(headers) == list(targets)


def test_a_column_of_addresses_is_the_email_if_no_header_says_so() -> None:
    assert columns(["Column 1", "Column 2"], [["Ann", "a@x.com"], ["Bob", "b@x.com"]]) == ["", "email"]


def test_a_column_named_email_without_addresses_yields_to_one_with() -> None:
    assert columns(["email", "contact"], [["yes", "a@x.com"]]) == ["", "email"]
    assert columns(["email", "work email"], [["", "a@x.com"]]) == ["", "email"]


def test_attributes_are_found_by_name_and_by_meaning() -> None:
    assert columns(["email", "Home City", "First Name"], attributes=[NAME, CITY]) == [
        "email", "attribute:home_city", "attribute:Vorname",
    ]  # fmt: skip


def test_each_target_is_suggested_once() -> None:
    assert columns(["email", "E-Mail", "mail"]) == ["email", "", ""]


def test_missing_attributes_can_be_created() -> None:
    mapping = suggest(
        ["email", "Hat size", " ", "hat SIZE"], samples=[], attributes=[NAME], create_missing=True
    )
    assert mapping.columns == ("email", "attribute:Hat size", "", "")
    assert mapping.new == (AttributeSpec("Hat size", "text"),)
    validate(mapping, headers=["email", "Hat size", " ", "hat SIZE"], attributes=[NAME])


def test_the_marker_of_safe_files_is_no_attribute() -> None:
    mapping = suggest([*FIELDS, "Name", SAFE_MARKER], samples=[], attributes=[], create_missing=True)
    assert mapping.columns == (*FIELDS, "attribute:Name", "")


def test_an_own_file_maps_only_what_is_named_alike() -> None:
    assert columns([*FIELDS, "Prename", "home_city"], attributes=[NAME, CITY])[8:] == [
        "",
        "attribute:home_city",
    ]


HEADERS = ["E-Mail", "Stadt", "Status"]


def test_columns_can_be_set_by_name() -> None:
    mapping = suggest(HEADERS, samples=[], attributes=[CITY])
    named = apply_names(
        mapping, {"e-mail": "-", "Stadt": "email", "Status": "Home City"}, headers=HEADERS, attributes=[CITY]
    )
    assert named.columns == ("", "email", "attribute:home_city")
    assert apply_names(mapping, {"Status": ""}, headers=HEADERS, attributes=[CITY]).columns[2] == ""


def test_names_nobody_knows_are_refused() -> None:
    mapping = suggest(HEADERS, samples=[], attributes=[])
    for names, code in (
        ({"Ort": "email"}, "mapping.unknown_column"),
        ({"Stadt": "City"}, "mapping.unknown_field"),
    ):
        with pytest.raises(Refusal) as refused:
            apply_names(mapping, names, headers=HEADERS, attributes=[])
        assert refused.value.code == code


@pytest.mark.parametrize(
    ("mapping", "code"),
    [
        (Mapping(("", "status", "")), "mapping.no_email"),
        (Mapping(("", "", ""), fixed=(("email", "a@x.com"),)), "mapping.no_email"),
        (Mapping(("email", "status", "status")), "mapping.twice"),
        (Mapping(("email", "status", ""), fixed=(("status", "active"),)), "mapping.twice"),
        (Mapping(("email", "color", "")), "mapping.unknown_field"),
        (Mapping(("email", "attribute:Color", "")), "mapping.unknown_field"),
        (Mapping(("email",)), "mapping.unknown_column"),
        (Mapping(("email", "", ""), new=(AttributeSpec("Status", "text"),)), "mapping.bad_name"),
        (Mapping(("email", "", ""), new=(AttributeSpec("vorNAME", "text"),)), "mapping.bad_name"),
        (Mapping(("email", "", ""), new=(AttributeSpec("a\tb", "text"),)), "mapping.bad_name"),
        (Mapping(("email", "", ""), new=(AttributeSpec("x" * 101, "text"),)), "mapping.bad_name"),
        (
            Mapping(("email", "", ""), new=tuple(AttributeSpec(f"a{n}", "text") for n in range(45))),
            "mapping.too_many_fields",
        ),
    ],
)
def test_mappings_that_cannot_work_are_refused(mapping: Mapping, code: str) -> None:
    with pytest.raises(Refusal) as refused:
        validate(mapping, headers=HEADERS, attributes=[NAME])
    assert refused.value.code == code


def test_signup_columns_left_out_are_named() -> None:
    mapping = Mapping(("email", "", "status", "", ""))
    assert unmapped_signup(["E-Mail", "Aktiviert", "Status", "Abgemeldet am", "Hat"], mapping) == [
        "Aktiviert", "Abgemeldet am",
    ]  # fmt: skip


def test_a_mapping_can_be_stored() -> None:
    mapping = Mapping(
        ("email", "attribute:Hat"), fixed=(("source", "fair"),), new=(AttributeSpec("Hat", "text"),)
    )
    assert Mapping.from_json(mapping.to_json()) == mapping
    assert mapping.targets == {"email", "attribute:Hat", "source"}
