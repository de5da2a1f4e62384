"""Which column goes where, by itself and by hand."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from backupsvc.errors import Refusal
from recipients.imports.columns import FIELDS
from recipients.imports.mapping import AttributeSpec, Mapping, apply_names, suggest, validate
from recipients.imports.signup import unmapped_signup, voices_in
from recipients.values import SAFE_MARKER

NAME = AttributeSpec("Vorname", "text")
CITY = AttributeSpec("home_city", "text")


def columns(
    headers: Sequence[str], samples: Sequence[Sequence[str]] = (), attributes: Sequence[AttributeSpec] = ()
) -> list[str]:
    return list(suggest(headers, samples=samples, attributes=attributes).columns)


def left_out(headers: Sequence[str], mapping: Mapping, *, samples: Sequence[Sequence[str]] = ()) -> list[str]:
    return unmapped_signup(headers, mapping, voices=voices_in(headers, samples))


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


@pytest.mark.parametrize(
    ("tool", "headers", "targets"),
    [
        ("Mailchimp, unsubscribed", "Email Address,First Name,Last Name,MEMBER_RATING,OPTIN_TIME,OPTIN_IP,"
         "CONFIRM_TIME,UNSUB_TIME,UNSUB_CAMPAIGN_TITLE,UNSUB_REASON,TAGS",
         "email,Vorname,Nachname,,registered,signup_ip,activated,deactivated,,,tags"),
        ("Mailchimp, cleaned", "Email Address,OPTIN_TIME,CLEAN_TIME,CLEAN_CAMPAIGN_TITLE",
         "email,registered,status,"),
        ("Brevo", "CONTACT ID,EMAIL,LASTNAME,FIRSTNAME,SMS,DOUBLE_OPT-IN,OPT_IN,ADDED_TIME,BLACKLIST",
         ",email,Nachname,Vorname,,activated,status,registered,deactivated"),
        ("CleverReach API", "id,email,activated,registered,deactivated,last_changed,source,bounced,"
         "stars,tags",
         ",email,activated,registered,deactivated,,source,status,,tags"),
        ("rapidmail", "E-Mail;Anrede;Titel;Vorname;Nachname;Status;Erstellt am;Aktiviert am;PLZ",
         "email,,,Vorname,Nachname,status,registered,activated,PLZ"),
        ("HubSpot", "Record ID,First Name,Last Name,Email,Create Date (EST),Marketing contact status,"
         "Unsubscribed from all email,Opted out of email: Newsletter,Email hard bounce reason,Lead Status",
         ",Vorname,Nachname,email,registered,status,deactivated,deactivated,status,"),
        ("Google", "First Name,Last Name,Birthday,Labels,E-mail 1 - Label,E-mail 1 - Value,"
         "Address 1 - Postal Code",
         "Vorname,Nachname,Geburtstag,tags,,email,PLZ"),
        ("Outlook", "Title,First Name,Last Name,Company,Business Postal Code,E-mail Address,"
         "E-mail Display Name,Birthday",
         ",Vorname,Nachname,,PLZ,email,,Geburtstag"),
        ("Outlook, German", "Anrede,Vorname,Nachname,Firma,Postleitzahl geschäftlich,E-Mail-Adresse,"
         "Geburtstag,Kategorien",
         ",Vorname,Nachname,,PLZ,email,Geburtstag,tags"),
        ("Outlook, French", "Prénom,Nom,Code postal,Adresse de messagerie,Catégories",
         "Vorname,Nachname,PLZ,email,tags"),
        ("Shopify", "First Name,Last Name,Email,Accepts Email Marketing,Zip,Tags",
         "Vorname,Nachname,email,status,PLZ,tags"),
        ("Spanish", "Correo electrónico,Nombre,Apellidos,Código postal,Fecha de alta,Fecha de baja",
         "email,Vorname,Nachname,PLZ,registered,deactivated"),
        ("Dutch", "E-mailadres,Voornaam,Achternaam,Postcode,Ingeschreven op,Uitgeschreven op,Geboortedatum",
         "email,Vorname,Nachname,PLZ,registered,deactivated,Geburtstag"),
        ("French", "Adresse e-mail;Prenom;Nom;Date d'inscription;Date de desinscription;Consentement",
         "email,Vorname,Nachname,registered,deactivated,status"),
        ("Italian", "Posta elettronica;Nome;Cognome;CAP;Iscritto il;Disiscritto il;Consenso",
         "email,Vorname,Nachname,PLZ,registered,deactivated,status"),
        ("German without umlauts", "E-Mail-Adresse;Bestaetigt am;Abgemeldet am;Schlagwoerter",
         "email,activated,deactivated,tags"),
    ],
)  # fmt: skip
def test_the_exports_of_other_tools_map_themselves(tool: str, headers: str, targets: str) -> None:
    known = [AttributeSpec(name, "text") for name in ("Vorname", "Nachname", "Geburtstag", "PLZ")]
    names = {spec.name for spec in known}
    expected = [f"attribute:{target}" if target in names else target for target in targets.split(",")]
    assert columns(headers.split(";" if ";" in headers else ","), attributes=known) == expected


@pytest.mark.parametrize(
    ("headers", "target"),
    [
        # As the tools call it: HubSpot, Klaviyo, ActiveCampaign, GetResponse, MailerLite, MailUp, shops.
        ("Unsubscribed from all emails,Opted out of all email,Email Suppressions,Unsubscribe timestamp,"
         "Global unsubscribe,OptOut_Date,marketing_opt_out,Email Opted Out,No Longer Subscribed,"
         "Has Unsubscribed,Complaints,deleted_at", "deactivated"),
        ("Newsletter abbestellt,Abmeldung am,Widerruf am,Werbewiderspruch,Auf Sperrliste,Keine E-Mails,"
         "Inaktiv,Gelöscht,Austritt am,Nicht mehr anschreiben", "deactivated"),
        ("Disiscritta,Revoca consenso,Data revoca,In lista nera,Non inviare email,Bloccato", "deactivated"),
        ("Désabonnement,Sur liste noire,Ne pas contacter,Date désinscription newsletter", "deactivated"),
        ("Fecha de desuscripción,Dado de baja el,En lista negra,No enviar correos,Bloqueado", "deactivated"),
        ("Afmelding nieuwsbrief,Op zwarte lijst,Niet mailen,Geen nieuwsbrief,Opgezegd op", "deactivated"),
        ("Newsletter subscribed,Email Permission Status,Opted-In,GDPR Consent,Einwilligung E-Mail,DSGVO,"
         "Consenso newsletter,Abonné newsletter,Acepta marketing,Toestemming nieuwsbrief,"
         "Bounced Hard,Bounce,Bounces,Bounce-Datum,Hard Bounce Date,Invalid email address,"
         "Zustimmung (E-Mail),E-Mail-Werbung,GDPR,RGPD", "status"),
        # Of another channel, or about how it came to it.
        ("SMS opt-out,Unsubscribe link,UNSUB_REASON,UNSUB_CAMPAIGN_TITLE,Opt-out count,Blacklist ID,"
         "SMS Marketing Consent,WhatsApp opt-in,Newsletter name,Bounce rate,"
         "Zustimmung AGB", ""),
    ],
)  # fmt: skip
def test_names_of_consent_are_known_by_their_parts(headers: str, target: str) -> None:
    for header in headers.split(","):
        sample = [["a@x.com", "no"], ["b@x.com", "yes"]]
        assert (header, columns(["email", header], sample)[1]) == (header, target)


@pytest.mark.parametrize(
    ("headers", "target"),
    [
        ("Subscribe to newsletter (you can unsubscribe at any time)|"
         "Newsletter abonnieren (Abmeldung möglich)|Newsletter? Abmeldung jederzeit.|"
         "Newsletter bestellen. Abmelden per Mail|Newsletter, jederzeit abbestellbar", "status"),
        ("Newsletter (abgemeldet)|Status (Opt-out)|Kd.-Nr. abgemeldet|Abmeldung (Newsletter)", "deactivated"),
        ("Widerrufsbelehrung akzeptiert", ""),
    ],
)  # fmt: skip
def test_a_hint_that_one_may_unsubscribe_is_no_opt_out_column(headers: str, target: str) -> None:
    for header in headers.split("|"):
        sample = [["a@x.com", "ja"], ["b@x.com", "nein"]]
        assert (header, columns(["email", header], sample)[1]) == (header, target)


def test_a_question_of_a_form_is_asked_about_where_it_is_answered() -> None:
    header = "Möchten Sie unseren monatlichen Newsletter mit Neuigkeiten aus dem Verein erhalten?"
    for cells, asked in ((["Ja", "Nein"], [header]), (["monatlich", "nie"], [])):
        sample = [["a@x.com", cell] for cell in cells]
        mapping = suggest(["email", header], samples=sample, attributes=[])
        assert mapping.columns == ("email", "")
        assert left_out(["email", header], mapping, samples=sample) == asked


def test_a_name_of_consent_means_nothing_above_cells_of_another_kind() -> None:
    headers = ["email", "Newsletter-Thema", "Subscription plan", "Abmeldegebühr"]
    sample = [["a@x.com", "Kochen", "gold", "3,50"], ["b@x.com", "Reisen", "silver", "4,00"]]
    mapping = suggest(headers, samples=sample, attributes=[])
    assert mapping.columns == ("email", "", "", "")
    assert left_out(headers, mapping, samples=sample) == []


def test_every_column_that_says_who_is_out_is_used() -> None:
    headers = ["email", "Status", "Newsletter", "Unsubscribed", "Blacklisted", "Bounced"]
    sample = [
        ["a@x.com", "active", "yes", "no", "false", ""],
        ["b@x.com", "active", "no", "", "true", "550 unknown"],
    ]
    assert columns(headers, sample) == ["email", "status", "status", "deactivated", "deactivated", "status"]


def test_a_column_whose_cells_say_something_else_is_left_alone() -> None:
    headers = ["email", "Estado", "Created", "Active", "IP"]
    sample = [["a@x.com", "Madrid", "by Bob", "gold", "kitchen"]] * 3
    assert columns(headers, sample) == ["email", "", "", "", ""]
    dates = [["a@x.com", "suscrito", "03/04/24", "yes", "10.0.0.1"], ["b@x.com", "baja", "46349", "no", ""]]
    assert columns(headers, dates) == ["email", "status", "registered", "status", "signup_ip"]


def test_a_field_of_just_that_name_comes_before_one_that_is_nearly_called_so() -> None:
    near, exact = AttributeSpec("Große", "text"), AttributeSpec("Grosse", "text")
    assert columns(["email", "Grosse"], attributes=[exact, near])[1] == "attribute:Grosse"
    assert columns(["email", "Große"], attributes=[exact, near])[1] == "attribute:Große"


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
    headers = ["email", "Hat size", " ", "Coat"]
    mapping = suggest(headers, samples=[], attributes=[NAME], create_missing=True)
    assert mapping.columns == ("email", "attribute:Hat size", "", "attribute:Coat")
    assert mapping.new == (AttributeSpec("Hat size", "text"), AttributeSpec("Coat", "text"))
    validate(mapping, headers=headers, attributes=[NAME])


def test_columns_whose_names_differ_by_capitals_only_get_an_attribute_each() -> None:
    headers = ["email", "Hat size", "hat SIZE", "HAT SIZE", "vorname", "VORNAME"]
    mapping = suggest(headers, samples=[], attributes=[NAME], create_missing=True)
    assert mapping.columns == (
        "email", "attribute:Hat size", "attribute:hat SIZE (2)", "attribute:HAT SIZE (3)",
        "attribute:Vorname", "attribute:VORNAME (2)",
    )  # fmt: skip
    validate(mapping, headers=headers, attributes=[NAME])


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
        (Mapping(("email", "registered", "registered")), "mapping.twice"),
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
    assert left_out(["E-Mail", "Aktiviert", "Status", "Abgemeldet am", "Hat"], mapping) == [
        "Aktiviert", "Abgemeldet am",
    ]  # fmt: skip


def test_a_second_column_that_says_who_is_out_may_not_be_left_out_unnoticed() -> None:
    headers = ["email", "Status", "Blacklisted", "Newsletter"]
    mapping = Mapping(("email", "status", "", ""))
    assert left_out(headers, mapping) == ["Blacklisted"]
    sample = [["a@x.com", "active", "true", "no"]]
    assert left_out(headers, mapping, samples=sample) == ["Blacklisted", "Newsletter"]
    weekly = [["a@x.com", "active", "true", "weekly"]]
    assert left_out(headers, mapping, samples=weekly) == ["Blacklisted"]


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        ("unsub_date", ["?", "?", "2024-05-01"]),
        ("Newsletter abbestellt", ["weiß nicht", "weiß nicht", "ja"]),
        ("Einwilligung E-Mail", ["erteilt", "erteilt", "widerrufen"]),
    ],
)
def test_one_opt_out_among_strange_cells_is_enough_to_ask(header: str, cells: list[str]) -> None:
    sample = [["a@x.com", cell] for cell in cells]
    mapping = suggest(["email", header], samples=sample, attributes=[])
    assert left_out(["email", header], mapping, samples=sample) == [header]
    assert left_out(["email", header], mapping, samples=sample[:2]) == []
    kept = suggest(["email", header], samples=sample, attributes=[], create_missing=True)
    assert left_out(["email", header], kept, samples=sample) == [header]


def test_counts_below_a_name_of_consent_say_nothing() -> None:
    sample = [["a@x.com", "0", "3"], ["b@x.com", "5", "1"], ["c@x.com", "12", "7"]]
    headers = ["email", "Newsletter-Klicks", "Abmeldeversuche"]
    assert left_out(headers, Mapping(("email", "", "")), samples=sample) == []


def test_an_opt_out_kept_as_a_field_is_asked_about() -> None:
    headers = ["email", "Abgemeldet", "Status", "Quelle"]
    attributes = [AttributeSpec(name, "text") for name in headers[1:]]
    sample = [["a@x.com", "ja", "gold", "fair"], ["b@x.com", "", "silver", ""]]
    mapping = suggest(headers, samples=sample, attributes=attributes)
    assert mapping.columns == ("email", *(f"attribute:{name}" for name in headers[1:]))
    assert left_out(headers, mapping, samples=sample) == ["Abgemeldet"]
    assert left_out(["email", "Quelle"], Mapping(("email", "attribute:Quelle"))) == []


def test_fields_of_our_own_files_are_no_signup_columns_whatever_they_are_called() -> None:
    headers = [*FIELDS, "Newsletter"]
    assert left_out(headers, Mapping((*FIELDS, ""))) == []


def test_a_column_named_by_hand_does_not_silence_another_that_says_who_is_out() -> None:
    headers = ["email", "Blacklisted", "Gone"]
    mapping = suggest(headers, samples=[], attributes=[])
    named = apply_names(mapping, {"Gone": "deactivated"}, headers=headers, attributes=[])
    assert named.columns == ("email", "deactivated", "deactivated")


def test_a_mapping_can_be_stored() -> None:
    mapping = Mapping(
        ("email", "attribute:Hat"), fixed=(("source", "fair"),), new=(AttributeSpec("Hat", "text"),)
    )
    assert Mapping.from_json(mapping.to_json()) == mapping
    assert mapping.targets == {"email", "attribute:Hat", "source"}


def test_columns_without_a_name_and_without_cells_become_no_fields() -> None:
    headers = ["Email", "Name", "Column 3", "Column 4"]
    sample = [["a@x.com", "Ann", "", ""], ["b@x.com", "Bob", "", "vip"]]
    mapping = suggest(headers, samples=sample, attributes=[], create_missing=True)
    assert mapping.columns == ("email", "attribute:Name", "", "attribute:Column 4")
    # A name is a wish, whatever stands below it.
    named = suggest(
        ["Email", "Name", "Note"], samples=[["a@x.com", "Ann", ""]], attributes=[], create_missing=True
    )
    assert named.columns[2] == "attribute:Note"
