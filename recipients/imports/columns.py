"""What the columns of the world's list files are called: header → our field, or the idea of an attribute.

English, German, Italian, French, Spanish and Dutch names, and those of CleverReach, Mailchimp, Brevo,
rapidmail, HubSpot, Google and Outlook. A name listed first for a field is preferred over a later one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

# The stable head of our own files, in this order.
FIELDS = ("email", "status", "registered", "activated", "deactivated", "source", "signup_ip", "tags")

# What our file of rejected rows says behind a row's own cells: for people, never for a list.
REJECT_COLUMNS = ("rejected_line", "rejected_why")

# Fields without which a list comes back with other consents than it had.
SIGNUP_FIELDS = ("status", "registered", "activated", "deactivated", "source", "signup_ip")

_FIELD_NAMES = {
    "email": (
        "email|e-mail|email address|e-mail address|e-mail-adresse|emailadresse|mail|mailadresse|"
        "mail address|e-mail 1 - value|e-mail 1|email 1|email1|email 1 value|primary email|"
        "e-mail primaria|work email|indirizzo email|indirizzo e-mail|indirizzo di posta elettronica|"
        "posta elettronica|adresse email|adresse e-mail|adresse mail|adresse de messagerie|"
        "adresse électronique|courriel|correo|correo electrónico|dirección de correo electrónico|"
        "dirección de correo|dirección de email|e-mailadres|emailadres|e-mail adres|subscriber|"
        "subscriber email|recipient|contact email|kontakt e-mail|e-mail address 1|emailadress|mail 1|"
        "e-mail-adresse 1|adresse de messagerie 1|indirizzo posta elettronica|home email|personal email|"
        "private e-mail|e-mail privat|e-mail geschäftlich|user email|customer email|billing email|"
        "newsletter email|empfänger|destinatario|destinataire|mailaddress|email id"
    ),
    "status": (
        "status|subscription status|subscriber status|email status|member status|contact status|"
        "subscribed|subscription|is_subscribed|newsletter status|newsletterstatus|marketing status|"
        "email marketing status|marketing contact status|accepts email marketing|accepts marketing|"
        "email marketing consent|marketing consent|email consent|consent|consent status|opt-in status|"
        "opt_in|email opt-in|newsletter opt-in|newsletter optin|newsletter|newsletter subscription|"
        "newsletter abonniert|abonnement|anmeldestatus|e-mail-status|empfängerstatus|abo-status|"
        "abostatus|abonniert|angemeldet|einwilligung|werbeeinwilligung|stato|stato iscrizione|iscritto|"
        "consenso|consenso marketing|stato contatto|état|statut|statut d'abonnement|abonné|inscrit|"
        "consentement|estado|estado de suscripción|suscrito|consentimiento|ingeschreven|aangemeld|"
        "inschrijfstatus|abonnementsstatus|toestemming|active|is_active|aktiv|attivo|actif|activo|actief|"
        # Whether mail came back: read as bounced, whatever they say (`says_bounced`).
        "bounced|is_bounced|hard bounced|hardbounced|hard bounce|bounce status|email hard bounce reason|"
        "hard bounce reason|clean_time|cleaned|cleaned at|bounced hard|hardbounce|bounced at|bounced date|"
        "email bounced date|email bounced reason|bounce reason|undeliverable|unzustellbar|gebounct|"
        "rimbalzato|rebotado|onbestelbaar|invalid email address|invalid email"
    ),
    "registered": (
        "registered|registered at|registered on|registriert|registriert am|registrierung|"
        "registrierungsdatum|eintragungsdatum|eintragedatum|eingetragen|eingetragen am|anmeldedatum|"
        "angemeldet am|anmeldung|anmeldezeitpunkt|angelegt|angelegt am|signup date|sign-up date|signup time|"
        "signup timestamp|signed up|signed up at|subscribe date|subscription date|subscribed at|"
        "subscribed on|date subscribed|optin_time|opt-in time|opt-in date|optin date|opt-in timestamp|"
        "registration date|registration|registration time|date registered|added_time|added|added at|"
        "date added|created|created at|created on|created_time|create date|creation date|date created|"
        "timestamp_signup|erstellt|erstellt am|erstellungsdatum|erstelldatum|hinzugefügt am|"
        "registrato|registrato il|registrazione|data registrazione|data di registrazione|data iscrizione|"
        "data di iscrizione|iscritto il|iscrizione|creato il|data creazione|data di creazione|"
        "date d'inscription|date inscription|inscrit le|date d'ajout|créé le|date de création|"
        "fecha de registro|fecha de alta|fecha de suscripción|fecha de inscripción|fecha de creación|"
        "fecha de alta en la lista|registrado|creado el|inschrijfdatum|ingeschreven op|aangemeld op|"
        "aanmelddatum|aangemaakt op|datum inschrijving|datum aanmelding"
    ),
    "activated": (
        "activated|activated at|activated on|activation date|activation|aktiviert|aktiviert am|"
        "aktivierung|aktivierungsdatum|bestätigt|bestätigt am|bestätigungsdatum|confirm_time|confirmed|"
        "confirmed at|confirmed on|is_confirmed|confirmation date|confirmation time|confirmed_time|"
        "double_opt-in|double opt-in|double opt-in date|double_optin|doi|doi date|doi-datum|doi_time|"
        "timestamp_opt_in|opt-in confirmed|optin_confirmed|opt-in bestätigt|attivato|attivato il|"
        "attivazione|data attivazione|data di attivazione|confermato|confermato il|data conferma|"
        "data di conferma|date d'activation|activé le|confirmé|confirmé le|date de confirmation|"
        "activado|activado el|confirmado|confirmado el|fecha de activación|fecha de confirmación|"
        "geactiveerd|geactiveerd op|activatiedatum|bevestigd|bevestigd op|bevestigingsdatum"
    ),
    # A time, or a yes: either way the person is out.
    "deactivated": (
        "deactivated|deactivated at|deactivated on|deactivation date|unsubscribed|unsubscribed at|"
        "unsubscribed on|is_unsubscribed|unsubscribe date|unsubscribe time|unsub_time|unsubscribe|"
        "date unsubscribed|unsubscription date|unsubscribed from all email|opted out|opt-out|optout|"
        "opt_out|opt-out date|optout_time|optout date|opted out at|opt-out time|email opt out|"
        "has opted out of email|hasoptedoutofemail|opted out of email|do not email|do not contact|"
        "do_not_mail|inactive|inaktiv|inattivo|inactif|inactivo|inactief|removed|removed at|excluded|"
        "cancelled|canceled|cancelled at|left at|gekündigt am|résilié le|annullato|cancellato|cancellato il|"
        "cancelado|cancelada|opposizione|opposition|bloqué|blacklist|blacklisted|"
        "is_blacklisted|email blacklist|email blacklisted|"
        "email_blacklisted|blocklist|blocklisted|email blocklisted|blocked|suppressed|suppression|"
        "complained|complaint|spam complaint|marked as spam|deaktiviert|deaktiviert am|deaktivierung|"
        "deaktivierungsdatum|abgemeldet|abgemeldet am|abmeldedatum|abmeldung|abmeldezeitpunkt|"
        "austragungsdatum|ausgetragen|ausgetragen am|widerspruch|werbesperre|gesperrt|sperre|"
        "keine werbung|kein newsletter|widerrufen|widerrufen am|disattivato|disattivato il|"
        "disattivazione|data disattivazione|data di disattivazione|disiscritto|disiscritto il|"
        "data disiscrizione|data di disiscrizione|disiscrizione|data cancellazione|"
        "data di cancellazione|cancellazione|désactivé|désactivé le|désabonné|désabonné le|désinscrit|"
        "désinscrit le|date de désinscription|date de désabonnement|désinscription|liste noire|"
        "fecha de baja|baja|dado de baja|desactivado|desactivado el|desuscrito|lista negra|"
        "fecha de cancelación|uitgeschreven|uitgeschreven op|uitschrijfdatum|afgemeld|afgemeld op|"
        "afmelddatum|datum uitschrijving|zwarte lijst|complaints|gelöscht|gelöscht am|deleted|deleted at|"
        "is_deleted|austritt|austritt am|austrittsdatum"
    ),
    "source": (
        "source|quelle|herkunft|fonte|origine|provenienza|bron|fuente|herkomst|origen|signup source|"
        "sign-up source|subscription source|original source|opt-in source|optin_source|anmeldequelle|"
        "member source|lead source|contact source|origine contatto|provenance"
    ),
    "signup_ip": (
        "signup_ip|signup ip|sign-up ip|ip|ip address|ip-adresse|ip adresse|anmelde-ip|confirm_ip|"
        "optin_ip|opt-in ip|opt_in_ip|doi_ip|created_ip|indirizzo ip|ip iscrizione|ip di iscrizione|"
        "adresse ip|ip d'inscription|dirección ip|ip de registro|ip-adres|registration ip|subscribe ip|"
        "signup ip address|ip registrierung|registrierungs-ip"
    ),
    "tags": (
        "tags|tag|schlagwörter|schlagworte|stichwörter|stichworte|etichette|étiquettes|etiquetas|labels|"
        "label|trefwoorden|group membership|categories|kategorien|categorie|catégories|categorías|"
        "categorieën|mots-clés|parole chiave"
    ),
}

# Of the names of a status, those that say that mail came back.
_BOUNCE_NAMES = (
    "bounced|is_bounced|hard bounced|hardbounced|hard bounce|email hard bounce reason|hard bounce reason|"
    "clean_time|cleaned|cleaned at|bounced hard|hardbounce|bounced at|bounced date|email bounced date|"
    "email bounced reason|bounce reason|undeliverable|unzustellbar|gebounct|rimbalzato|rebotado|onbestelbaar|"
    "invalid email address|invalid email"
)
# What stands before a subscription's own name: "Opted out of email: Newsletter".
_OUT_OF = ("opted out of email",)

# What a name holds, among whatever other words, that says who is out, or who wants mail. Asked after all
# whole names; the cells must agree. An opt-out that is overlooked cannot be made good.
_OUT_STEMS = (
    "unsub|opt out|opted out|blacklist|blocklist|suppress|do not mail|do not email|do not contact|no email|"
    "spam report|reported spam|abgemeldet|abmeld|abbestell|austrag|ausgetragen|widerruf|widerspruch|sperre|"
    "gesperrt|sperrliste|sperrvermerk|blockiert|keine mail|keine email|kein newsletter|keine newsletter|"
    "excluded from campaign|excluded from email|excluded from mail|email disabled|emails disabled|"
    "mail disabled|mail blocked|email blocked|emails blocked|abuse|"
    "keine werbung|robinson|inaktiv|disiscri|revoca|lista nera|bloccat|non contattare|non inviare|désabonn|"
    "désinscri|liste noire|ne pas contacter|retrait du consentement|desuscri|de baja|fecha baja|lista negra|"
    "bloqueado|no contactar|no enviar|no suscrito|uitgeschreven|uitschrij|afgemeld|afmeld|opgezegd|"
    "zwarte lijst|geblokkeerd|niet mailen|geen mail|geen email|geen nieuwsbrief|no longer subscribed|"
    "complain|gelöscht|deleted|austritt|ausgetreten|anschreiben nicht|nicht anschreiben|"
    "nicht mehr anschreiben|nicht kontaktieren|nicht mehr kontaktieren|widersprochen|nicht abonn|"
    "nicht angemeldet|not subscri|keine einwilligung|ohne einwilligung|keine zustimmung|no consent"
)
_IN_STEMS = (
    "subscri|opt in|opted in|consent|permission|accepts marketing|accepts email|newsletter|einwilligung|"
    "dsgvo|werbeerlaubnis|werbung erlaubt|abonn|kontaktstatus|consenso|iscritto|iscrizione|"
    "accetta marketing|consentement|inscrit|accepte le marketing|consentimiento|suscrit|suscripción|"
    "acepta marketing|acepta recibir|nieuwsbrief|toestemming|accepteert marketing|zustimmung|emailwerbung|"
    "werbung per email|gdpr|rgpd|receive email|receives email|receive mail|receive marketing|"
    "receives marketing|want email|wants email|wants mail|marketing email|email erlaubt|mail erlaubt|"
    "emails erlaubt"
)
# Too many other things are called so: read as out where a person takes such a column for a status.
_GONE_STEMS = (
    "kündigung|gekündigt|storniert|ausgeschieden|verstorben|archiviert|entfernt|deceased|cancel|archived|"
    "removed|excluded|blocked|disdetta|recesso|eliminat|archiviat|résili|supprim|eliminad|opzegging|verwijderd"
)
# Words that make something else of such a name: another channel, or what is said about it.
_ELSE = re.compile(
    r"(?<![a-z])(?:sms|phone|telefon|mobile|whatsapp|push|post|source|quelle|ip|url|link|id|name|count|anzahl|"
    r"reason|grund|motivo|motif|campaign|kampagne|title|text|rate|quote|agb|terms|fotos?)(?![a-z])",
    re.IGNORECASE,
)
# One line an idea: the names that mean the same attribute. The type is that of a new attribute.
_IDEAS = {
    ("firstname", "text"): (
        "first name|firstname|fname|first_name|given name|vorname|rufname|nome|prénom|nombre|"
        "nombre de pila|voornaam|forename|first|nome di battesimo"
    ),
    ("lastname", "text"): (
        "last name|lastname|lname|last_name|surname|family name|nachname|familienname|zuname|name|cognome|"
        "nom|nom de famille|apellido|apellidos|achternaam|familienaam|last"
    ),
    ("fullname", "text"): (
        "full name|fullname|display name|vollständiger name|nome completo|nom complet|nombre completo|"
        "volledige naam|e-mail display name|contact name|ansprechpartner|kontakt|contatto|contacto"
    ),
    ("gender", "gender"): "gender|sex|geschlecht|sesso|genere|sexe|genre|sexo|género|geslacht",
    ("salutation", "gender"): "salutation|anrede|appellativo|civilité|tratamiento|aanhef|prefix|name prefix",
    ("title", "text"): "title|titel|titolo|titre|título|akademischer titel",
    ("company", "text"): (
        "company|company name|organization|organisation|organization name|firma|unternehmen|azienda|"
        "società|ditta|entreprise|société|empresa|compañía|organización|bedrijf|bedrijfsnaam|firmenname|"
        "nome azienda|nom de l'entreprise|organization 1 - name|primary company|firmenbezeichnung"
    ),
    ("street", "text"): (
        "street|street address|address|address 1|address line 1|straße|strasse|adresse|anschrift|via|"
        "indirizzo|rue|calle|dirección|straat|straatnaam|adres|business street|home street|"
        "address 1 - street|straße geschäftlich|straße privat|straße und hausnummer|billing address 1|"
        "indirizzo ufficio|rue (bureau)|via e numero"
    ),
    ("zip", "text"): (
        "zip|zip code|zipcode|zip/postal code|postal code|postcode|plz|postleitzahl|cap|code postal|"
        "código postal|codigo postal|codice postale|cp|business postal code|home postal code|"
        "postleitzahl geschäftlich|postleitzahl privat|address 1 - postal code"
    ),
    ("city", "text"): (
        "city|town|stadt|ort|wohnort|città|comune|località|ville|commune|ciudad|población|localidad|stad|"
        "plaats|woonplaats|business city|home city|ort geschäftlich|ort privat|address 1 - city"
    ),
    ("state", "text"): (
        "state|region|province|bundesland|provincia|regione|région|provincie|state/region|"
        "business state|home state|region geschäftlich|address 1 - region"
    ),
    ("country", "text"): (
        "country|land|staat|nazione|paese|pays|país|country/region|country code|cc|ländercode|"
        "business country/region|home country/region|land/region geschäftlich|address 1 - country"
    ),
    ("phone", "text"): (
        "phone|phone number|telephone|telefon|telefonnummer|tel|telefono|téléphone|teléfono|telefoon|"
        "phone 1 - value|business phone|home phone|telefon geschäftlich|telefon privat|numero di telefono|"
        "numéro de téléphone|número de teléfono|telefoonnummer|landline_number|festnetz"
    ),
    ("mobile", "text"): (
        "mobile|mobile phone|mobile phone number|cell phone|sms|whatsapp|handy|handynummer|mobil|"
        "mobiltelefon|mobilnummer|cellulare|portable|téléphone portable|móvil|teléfono móvil|mobiel"
    ),
    ("birthday", "date"): (
        "birthday|birthdate|birth date|date of birth|dob|geburtstag|geburtsdatum|data di nascita|"
        "compleanno|date de naissance|anniversaire|fecha de nacimiento|cumpleaños|geboortedatum|"
        "verjaardag|geboren|geboren am|nato il|date naissance|nacimiento"
    ),
    ("language", "text"): "language|preferred language|sprache|lingua|langue|idioma|taal|locale",
    ("job", "text"): (
        "job title|job_title|jobtitle|position|beruf|funktion|organization title|professione|qualifica|"
        "fonction|poste|cargo|puesto|functie"
    ),
    ("note", "text"): "notes|note|notizen|notiz|bemerkung|bemerkungen|remarques|notas|notities",
    ("website", "text"): "website|web site|webseite|homepage|url|sito|sito web|site web|sitio web",
}


def normalized(header: str) -> str:
    """What headers have in common that are alike but for case, accents, spaces and punctuation.

    "Straße", "STRASSE" and "strasse" are alike; so are "Bestätigt am" and "bestaetigt_am".
    """
    text = unicodedata.normalize("NFKD", header).casefold()
    plain = "".join(character for character in text if character.isalnum())
    return plain.replace("ae", "a").replace("oe", "o").replace("ue", "u")


_RANKED_FIELDS = {
    normalized(name): (field, rank)
    for field, names in _FIELD_NAMES.items()
    for rank, name in enumerate(names.split("|"))
}
_IDEA_OF = {normalized(name): idea for idea, names in _IDEAS.items() for name in names.split("|")}
_BOUNCED = frozenset(map(normalized, _BOUNCE_NAMES.split("|")))
_OUT = tuple(map(normalized, _OUT_OF))
_OUTS = tuple(map(normalized, _OUT_STEMS.split("|")))
_INS = tuple(map(normalized, _IN_STEMS.split("|")))
_GONE = tuple(map(normalized, _GONE_STEMS.split("|")))
_LONGEST_NAME = 60
_LONGEST_QUESTION = 500
# Create Date (EST), OPTIN_TIME [UTC]
_REMARK = re.compile(r"\s*(?:\([^()]*\)|\[[^\[\]]*\])\s*$")
# What explains a header: what stands in brackets, or behind a question or a sentence.
_HINT = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|(?:\?|\.\s).*", re.DOTALL)
# How forms say that one may leave later, which nobody has done who is asked to join.
_ANY_TIME = re.compile(
    r"jederzeit|any\s?time|qualsiasi momento|tout moment|cualquier momento|allen tijde|elk moment",
    re.IGNORECASE,
)
# What a buyer was told about withdrawing, in a normalized name.
_BUYERS = re.compile("widerrufs(?:belehrung|recht|frist)")


def field_of(header: str) -> tuple[str, int] | None:
    """The field a header means and how good a name it is for it (0 is best); None when it is none of ours."""
    name = normalized(header)
    found = _RANKED_FIELDS.get(name) or _RANKED_FIELDS.get(normalized(_REMARK.sub("", header[:200])))
    if not found and name.startswith(_OUT):
        return "deactivated", len(_RANKED_FIELDS)
    return found


def meaning_of(header: str) -> tuple[str, int] | None:
    """The field a header means, be it only by a part that tells of consent, and how good a name it is."""
    if len(header) > _LONGEST_NAME or _ELSE.search(header):
        return field_of(header)
    return _meaning(header)


def _meaning(header: str) -> tuple[str, int] | None:
    remark = _REMARK.search(header)
    if remark and (field_of(remark[0]) or ("",))[0] == "deactivated":
        # Newsletter (unsubscribed): no remark, but what the column is about.
        return "deactivated", len(_RANKED_FIELDS) + 1
    # Who may unsubscribe has not: a hint says what the column is about only where nothing else does.
    return field_of(header) or _by_stems(_HINT.sub("", header)) or _by_stems(header)


def _by_stems(header: str) -> tuple[str, int] | None:
    name = _BUYERS.sub("", normalized(header))
    outs = () if _ANY_TIME.search(header) else _OUTS
    if _holds_bounce(name):
        return "status", len(_RANKED_FIELDS) + 1
    for field, stems in (("deactivated", outs), ("status", _INS)):
        if any(stem in name for stem in stems):
            return field, len(_RANKED_FIELDS) + 1
    return None


def _holds_bounce(name: str) -> bool:
    # A full mailbox is no reason to write to somebody never again, and most of these columns count.
    return "bounce" in name and "soft" not in name


def is_long_question(header: str) -> bool:
    """Whether a header too long for a name may ask whether somebody wants mail, as forms do."""
    name = normalized(header[:_LONGEST_QUESTION])
    return len(header) > _LONGEST_NAME and any(stem in name for stem in ("mail", *_OUTS, *_INS))


def says_bounced(header: str) -> bool:
    """Whether whatever stands in a column of this name says that mail to the person came back."""
    name = normalized(_REMARK.sub("", header[:_LONGEST_QUESTION]))
    return name in _BOUNCED or _holds_bounce(name)


def says_out(header: str) -> bool:
    """Whether a yes in a column of this name says that the person wants no mail."""
    header = header[:_LONGEST_QUESTION]
    found = _meaning(header)
    is_named = found is not None and found[0] == "deactivated"
    return is_named or any(stem in normalized(header) for stem in _GONE)


def names_status(header: str) -> bool:
    """Whether a header asks which status, and not whether somebody wants mail."""
    return any(word in normalized(header) for word in ("status", "stato", "statut", "etat", "estado"))


def idea_of(header: str) -> str | None:
    """The common idea behind an attribute's name ("firstname" for Vorname); None when we know none."""
    found = _IDEA_OF.get(normalized(header)) or _IDEA_OF.get(normalized(_REMARK.sub("", header[:200])))
    return found[0] if found else None


def type_of_new(header: str) -> str:
    """The type that fits a new attribute of this name: text, gender or date."""
    found = _IDEA_OF.get(normalized(header))
    return found[1] if found else "text"


def is_own_header(headers: Sequence[str]) -> bool:
    """Whether these are the columns of a file written by us."""
    return tuple(headers[: len(FIELDS)]) == FIELDS


def numbered(index: int) -> str:
    """What a column is called that the file gives no name."""
    return f"Column {index + 1}"
