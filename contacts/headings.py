"""What people and programs call the columns of their lists, in the languages of Europe: rules as data. Pure."""

import re
import unicodedata
from typing import Final

EMAIL, MOBILE, PHONE, ANY = "email", "mobile", "phone", "address"
# Without accents, blanks, hyphens and the like.
COLUMNS: Final[dict[str, frozenset[str]]] = {
    EMAIL: frozenset({
        "email", "emails", "mail", "emailaddress", "emailadress", "mailaddress", "emailid", "primaryemail",
        "contactemail", "customeremail", "useremail", "workemail", "eaddress",
        "epost", "epostadress", "mejl", "mejladress", "mailadress", "epostadresse", "emailadresse", "mailadresse",
        "elektroniskpost", "sahkoposti", "sahkopostiosoite", "emailadres", "mailadres",
        "courriel", "adressecourriel", "adresseemail", "adressemail", "adresseelectronique", "mel", "adressemel",
        "correo", "correoelectronico", "direccioncorreo", "indirizzoemail", "postaelettronica", "enderecoemail",
        "emailaddress1", "email1", "email1value", "emailprivat", "emailwork", "emailhome", "adresemail",
    }),
    MOBILE: frozenset({
        "mobile", "mobilephone", "mobilenumber", "mobileno", "mobilenr", "mobilephonenumber", "cell", "cellphone",
        "cellnumber", "cellphonenumber", "msisdn", "sms", "smsnumber", "smsphonenumber", "gsm", "gsmnummer",
        "mobil", "mobilnummer", "mobilnr", "mobiltelefon", "mobiltelefonnummer", "mobiltel", "mobiltfn", "mobtel",
        "handy", "handynummer", "handynr", "natel", "matkapuhelin", "kannykka", "mobiel", "mobielnummer",
        "portable", "telephoneportable", "numeroportable", "numerodeportable", "telportable", "telephonemobile",
        "numeromobile", "movil", "telefonomovil", "celular", "cellulare", "telemovel",
    }),
    PHONE: frozenset({
        "phone", "phonenumber", "phoneno", "tel", "telephone", "telephonenumber", "telno", "primaryphone",
        "phone1", "phone1value", "telefon", "telefonnummer", "telefonnr", "telnr", "tfn", "tlf", "telnummer",
        "rufnummer",
        "telefoonnummer", "telefoon", "puhelin", "puhelinnumero", "numerodetelephone", "numerotelephone", "telefono",
        "telefone",
    }),
    # What may be a street, a name or a customer's number as well.
    ANY: frozenset({
        "address", "addresses", "recipient", "recipients", "contact", "adress", "adresse", "value", "to",
        "number", "nummer", "numero",
    }),
}  # fmt: skip
# Of a longer heading ("Kundens e-post (privat)") these decide, unless it is about something else.
_WITHIN: Final = {
    EMAIL: re.compile(r"e?mail|epost|mejl|courriel|correo|sahkoposti"),
    MOBILE: re.compile(r"mobil|handy|portable|cellphone|msisdn|matkapuhelin|movil|cellulare"),
    PHONE: re.compile(r"telefon|telephon|phone|telefoon|puhelin"),
}
_ELSE: Final = re.compile(
    r"optin|optout|consent|samtycke|marketing|newsletter|nyhetsbrev|permission|accept|verified|valid|status|state|type|"
    r"date|datum|time|count|sent|open|click|bounce|subscri|domain|format|source|einwilligung|consentement|client|model"
)


def plain(heading: str) -> str:
    """Lower case, without accents, blanks and whatever is no letter or digit."""
    folded = unicodedata.normalize("NFKD", heading.casefold())
    return "".join(sign for sign in folded if sign.isalnum())


def column_of(heading: str) -> str:
    """EMAIL, MOBILE, PHONE or ANY if that is what the column holds; else empty."""
    said = plain(heading[:100])
    found = next((column for column, names in COLUMNS.items() if said in names), "")
    if found or _ELSE.search(said):
        return found
    return next((column for column, words in _WITHIN.items() if words.search(said)), "")
