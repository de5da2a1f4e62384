"""What the columns of the world's list files are called: header → our field, or the idea of an attribute.

English, German, Italian, French, Spanish and Dutch names, and those of CleverReach, Mailchimp, Brevo,
rapidmail, HubSpot, Google and Outlook. A name listed first for a field is preferred over a later one.
"""

from __future__ import annotations

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
        "posta elettronica|adresse email|adresse e-mail|adresse mail|courriel|correo|"
        "correo electrónico|dirección de correo electrónico|e-mailadres|emailadres|subscriber|"
        "subscriber email|recipient|contact email|kontakt e-mail|e-mail address 1|emailadress|mail 1|"
        "home email|personal email|private e-mail|user email|customer email"
    ),
    "status": (
        "status|stato|état|estado|statut|email status|subscription status|subscriber status|"
        "member status|abonnement|anmeldestatus|e-mail-status|empfängerstatus|stato iscrizione|"
        "statut d'abonnement|marketing status|email marketing status|subscribed|abonniert|active|"
        "aktiv|attivo"
    ),
    "registered": (
        "registered|registered at|registered on|registriert|registriert am|registrierung|"
        "registrierungsdatum|eintragungsdatum|eingetragen|eingetragen am|angelegt|angelegt am|"
        "anmeldedatum|angemeldet am|anmeldung|signup date|sign-up date|signup time|signup timestamp|"
        "subscribe date|subscription date|subscribed at|date subscribed|optin_time|opt-in time|"
        "opt-in date|optin date|added|added at|date added|created|created at|created on|create date|"
        "creation date|erstellt|erstellt am|registrato|registrato il|registrazione|"
        "data registrazione|data di registrazione|data iscrizione|data di iscrizione|iscrizione|"
        "creato il|date d'inscription|date inscription|fecha de registro|fecha de alta|"
        "inschrijfdatum|registration date|registration|added_time|timestamp_signup"
    ),
    "activated": (
        "activated|activated at|activation date|activation|aktiviert|aktiviert am|aktivierung|"
        "aktivierungsdatum|bestätigt am|bestätigungsdatum|confirm_time|confirmed|confirmed at|"
        "confirmation date|confirmation time|confirmed_time|double opt-in|double opt-in date|doi|"
        "doi date|doi-datum|timestamp_opt_in|opt-in confirmed|attivato|attivato il|attivazione|"
        "data attivazione|data di attivazione|confermato il|data conferma|date d'activation|"
        "activé le|date de confirmation|fecha de activación|fecha de confirmación|activatiedatum"
    ),
    "deactivated": (
        "deactivated|deactivated at|deactivation date|deaktiviert|deaktiviert am|deaktivierung|"
        "deaktivierungsdatum|abgemeldet|abgemeldet am|abmeldedatum|abmeldung|austragungsdatum|"
        "unsub_time|unsubscribed|unsubscribed at|unsubscribe date|unsubscribe time|date unsubscribed|"
        "opt-out date|optout_time|opted out at|disattivato|disattivato il|disattivazione|"
        "data disattivazione|data di disattivazione|disiscritto il|data disiscrizione|"
        "data cancellazione|cancellazione|désactivé le|date de désinscription|date de désabonnement|"
        "fecha de baja|uitschrijfdatum"
    ),
    "source": (
        "source|quelle|herkunft|fonte|origine|provenienza|bron|fuente|signup source|"
        "subscription source|original source|opt-in source|anmeldequelle|member source"
    ),
    "signup_ip": (
        "signup_ip|signup ip|ip|ip address|ip-adresse|ip adresse|anmelde-ip|confirm_ip|optin_ip|"
        "opt-in ip|indirizzo ip|ip iscrizione|adresse ip|dirección ip|ip-adres|registration ip|"
        "subscribe ip"
    ),
    "tags": (
        "tags|tag|schlagwörter|schlagworte|etichette|étiquettes|etiquetas|labels|label|group membership"
    ),
}

# One line an idea: the names that mean the same attribute. The type is that of a new attribute.
_IDEAS = {
    ("firstname", "text"): (
        "first name|firstname|fname|given name|vorname|nome|prénom|nombre|voornaam|forename|first"
    ),
    ("lastname", "text"): (
        "last name|lastname|lname|surname|family name|nachname|familienname|name|cognome|nom|"
        "nom de famille|apellido|apellidos|achternaam|last"
    ),
    ("gender", "gender"): "gender|sex|geschlecht|sesso|genere|sexe|sexo|género|geslacht",
    ("salutation", "gender"): "salutation|anrede|appellativo|civilité|tratamiento|aanhef|prefix",
    ("title", "text"): "title|titel|titolo|titre|título|name prefix",
    ("company", "text"): (
        "company|company name|organization|organisation|organization name|firma|unternehmen|azienda|"
        "società|ditta|entreprise|société|empresa|bedrijf|organization 1 - name"
    ),
    ("street", "text"): (
        "street|street address|address|address 1|address line 1|straße|strasse|adresse|anschrift|via|"
        "indirizzo|rue|calle|dirección|straat|adres|business street|home street"
    ),
    ("zip", "text"): (
        "zip|zip code|zipcode|postal code|postcode|plz|postleitzahl|cap|code postal|código postal"
    ),
    ("city", "text"): (
        "city|town|stadt|ort|wohnort|città|comune|ville|ciudad|stad|plaats|business city|home city"
    ),
    ("state", "text"): ("state|region|province|bundesland|provincia|regione|région|provincie|state/region"),
    ("country", "text"): "country|land|staat|nazione|paese|pays|país|country/region|country code",
    ("phone", "text"): (
        "phone|phone number|telephone|telefon|telefonnummer|tel|telefono|téléphone|teléfono|telefoon|"
        "phone 1 - value|business phone|home phone"
    ),
    ("mobile", "text"): (
        "mobile|mobile phone|cell phone|sms|handy|mobil|mobiltelefon|cellulare|portable|móvil|mobiel"
    ),
    ("birthday", "date"): (
        "birthday|birthdate|birth date|date of birth|dob|geburtstag|geburtsdatum|data di nascita|"
        "compleanno|date de naissance|anniversaire|fecha de nacimiento|cumpleaños|geboortedatum|"
        "verjaardag"
    ),
    ("language", "text"): "language|sprache|lingua|langue|idioma|taal",
    ("website", "text"): "website|web site|webseite|homepage|url|sito|sito web|site web|sitio web",
}


def normalized(header: str) -> str:
    """What headers have in common that are alike but for case, spaces and punctuation."""
    text = unicodedata.normalize("NFKC", header).casefold()
    return "".join(character for character in text if character.isalnum())


_RANKED_FIELDS = {
    normalized(name): (field, rank)
    for field, names in _FIELD_NAMES.items()
    for rank, name in enumerate(names.split("|"))
}
_IDEA_OF = {normalized(name): idea for idea, names in _IDEAS.items() for name in names.split("|")}


def field_of(header: str) -> tuple[str, int] | None:
    """The field a header means and how good a name it is for it (0 is best); None when it is none of ours."""
    return _RANKED_FIELDS.get(normalized(header))


def idea_of(header: str) -> str | None:
    """The common idea behind an attribute's name ("firstname" for Vorname); None when we know none."""
    found = _IDEA_OF.get(normalized(header))
    return found[0] if found else None


def type_of_new(header: str) -> str:
    """The type that fits a new attribute of this name: text, gender or date."""
    found = _IDEA_OF.get(normalized(header))
    return found[1] if found else "text"


def is_own_header(headers: Sequence[str]) -> bool:
    """Whether these are the columns of a file written by us."""
    return tuple(headers[: len(FIELDS)]) == FIELDS
