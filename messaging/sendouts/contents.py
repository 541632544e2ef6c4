"""What a send-out says, as each contact gets it: checked, previewed, and made ready for hand-over.

Links lead by way of us where clicks are to be noticed: the address holds a token of the message and the number of the
link, never where it leads, so nobody can make it lead elsewhere.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from secrets import token_hex
from typing import Final, NamedTuple

from django.conf import settings
from django.utils.translation import gettext as _

from contacts.models import Channel, Contact
from engage.domains import in_ascii
from messaging.sendouts.links import (
    WAY_OUT,
    address_compiled,
    for_redirect,
    html_compiled,
    is_web,
    numbered,
    problems_in,
    text_compiled,
)
from messaging.sendouts.markup import TokenKind, pieces
from messaging.sendouts.mime_template import Letter, html_value, letter_of, mailbox, one_line
from messaging.sendouts.models import Content, SendOut
from messaging.sendouts.plain import shows_way_out, text_of_html
from messaging.sendouts.tags import TAG, Tag, TagError, Text, Values, compiled, name_in
from messaging.smpp.alphabet import Length, composed, length_of
from messaging.tracking.tokens import Purpose, token_of

# The values that our own places are filled with: the message's tokens (messaging/tracking/tokens.py).
OPEN_TOKEN, CLICK_TOKEN = "openToken", "clickToken"
UNSUBSCRIBE: Final = WAY_OUT
OPENED, CLICKED, LEAVE = "o", "c", "u"
NOWHERE: Final = "#"
# A link of ours in an SMS where there is no message yet.
LIKE_A_LINK: Final = "{}/u/12345678-0123456789abcdef/"
# Stands for link number n while tags are read: from the private use area, which no email needs. One that its author
# wrote would be taken for ours, so it is shown as what it is to everybody else: no sign at all.
_MARK: Final = re.compile("\ue000(\\d+)\ue001")
_NO_SIGNS: Final = dict.fromkeys((0xE000, 0xE001), "\ufffd")
# The pixel's number; there are never so many links.
_PIXEL: Final = 10**9


@dataclass(frozen=True, slots=True)
class Shown:
    """A message as one contact gets it; `html` is empty for an SMS and for an email without."""

    subject: str
    html: str
    text: str
    length: Length | None = None


def problems(channel: str, *, subject: str, html: str, text: str) -> dict[str, list[str]]:
    """What is wrong with a content, by field, in words that say what to do; empty where it can go out."""
    found: dict[str, list[str]] = {}
    for field, said in (("subject", subject), ("html", html), ("text", text)):
        try:
            compiled(said)
        except TagError as error:
            found[field] = error.problems
    for field, wrong in zip(("html", "text"), problems_in(html, text), strict=True):
        if wrong:
            found.setdefault(field, []).extend(wrong)
    if channel == Channel.EMAIL:
        if not subject.strip():
            found.setdefault("subject", []).append(_("An email needs a subject."))
        if not (html.strip() or text.strip()):
            found.setdefault("html", []).append(_("There is nothing in the email yet."))
    elif not text.strip():
        found.setdefault("text", []).append(_("There is nothing in the SMS yet."))
    return found


class Person(NamedTuple):
    """What tags ask for of a contact: hand-over has no use for the whole row."""

    first_name: str
    last_name: str
    email: str
    mobile: str
    country: str
    language: str


def person_of(contact: Contact) -> Person:
    return Person(
        contact.first_name, contact.last_name, contact.email, contact.mobile_digits or contact.mobile, contact.country,
        contact.language,
    )  # fmt: skip


def values_of(person: Contact | Person | None, message_id: int | None = None) -> Values:
    """What tags are filled with for this person; without a message, as in a preview, links of ours lead nowhere."""
    ours = {UNSUBSCRIBE: NOWHERE} if message_id is None else _ours(message_id)
    if person is None:
        return ours
    if isinstance(person, Contact):
        person = person_of(person)
    return {
        **ours,
        "firstName": person.first_name,
        "lastName": person.last_name,
        "fullName": f"{person.first_name} {person.last_name}".strip(),
        "email": person.email,
        "mobile": person.mobile,
        "country": person.country.upper(),
        "language": person.language,
    }


def _ours(message_id: int) -> Values:
    return {
        OPEN_TOKEN: token_of(message_id, Purpose.OPEN),
        CLICK_TOKEN: token_of(message_id, Purpose.CLICK),
        UNSUBSCRIBE: f"{tracking_url()}/{LEAVE}/{token_of(message_id, Purpose.LEAVE)}/",
    }


def tracking_url() -> str:
    return str(settings.TRACKING_URL)


def shown(content: Content, channel: str, values: Values) -> Shown:
    """For the eye: as the contact gets it, but for our own links and pixel. Raises TagError."""
    if channel == Channel.SMS:
        said = sms_of(content, _with_a_link(values))
        return Shown("", "", said, length_of(said))
    text = text_compiled(content.text)
    html = html_compiled(content.html)
    return Shown(
        one_line(compiled(content.subject).fill(values)),
        html.fill(values, html_value),
        (text if content.text.strip() else text_compiled(text_of_html(content.html))).fill(values),
    )


def _with_a_link(values: Values) -> Values:
    """As long as it will be, so that nobody is surprised by the number of parts."""
    is_open = values.get(UNSUBSCRIBE) == NOWHERE
    return {**values, UNSUBSCRIBE: LIKE_A_LINK.format(tracking_url())} if is_open else values


def sms_of(content: Content, values: Values) -> str:
    """The text of an SMS. A line break is one sign, as browsers send two. Raises TagError."""
    return composed(_compiled_sms(content.text).fill(values, one_line))


@lru_cache(maxsize=64)
def _compiled_sms(text: str) -> Text:
    return text_compiled(text.replace("\r\n", "\n"))


def letter_for(send_out: SendOut, content: Content) -> Letter:
    """The template of a send-out's emails: made once for each version and setting. Raises TagError."""
    return _letter(
        Letterhead(
            send_out.pk, send_out.sender_name, send_out.sender, content.subject, content.html, content.text,
            send_out.tracks_opens, send_out.tracks_clicks, send_out.is_transactional,
        )
    )  # fmt: skip


class Letterhead(NamedTuple):
    """All that a template of emails depends on."""

    send_out_id: int
    sender_name: str
    sender: str
    subject: str
    html: str
    text: str
    tracks_opens: bool
    tracks_clicks: bool
    is_transactional: bool


@lru_cache(maxsize=64)
def _letter(of: Letterhead) -> Letter:
    html = of.html
    plain = of.text if of.text.strip() else text_of_html(html)
    if not of.is_transactional:
        html, plain = _with_way_out(html, plain)
    # Gmail, "Feedback Loop": which send-out, of which kind, and last who sends it, for ever the same.
    kind = "transactional" if of.is_transactional else "marketing"
    headers = {"From": mailbox(of.sender_name, in_ascii(of.sender)), "Feedback-ID": f"{of.send_out_id}:{kind}:engage"}
    # Both keep automatic replies away: what no person wrote (RFC 3834 5), and what goes to many (RFC 3834 2).
    if of.is_transactional:
        headers |= {"Auto-Submitted": "auto-generated"}
    else:
        # RFC 8058 3.1.
        headers |= {"List-Unsubscribe-Post": "List-Unsubscribe=One-Click", "Precedence": "bulk"}
    return letter_of(
        subject=compiled(of.subject),
        text=text_compiled(plain),
        html=noticed(html, opens=of.tracks_opens, clicks=of.tracks_clicks) if html.strip() else None,
        headers=headers,
        boundary=f"=_{token_hex(16)}",
    )


def own_headers(to: str, token: str, date: str, values: Values, *, is_transactional: bool) -> Mapping[str, str]:
    """The headers of one mail alone. Our Message-ID carries the token, by which its bounces are known."""
    headers = {"To": to, "Date": date, "Message-ID": f"<{token}@{settings.MESSAGE_ID_DOMAIN}>"}
    if not is_transactional:
        headers["List-Unsubscribe"] = f"<{values[UNSUBSCRIBE]}>"
    return headers


def _with_way_out(html: str, text: str) -> tuple[str, str]:
    """Every email that is not transactional says how to unsubscribe: where its author does not, at the end."""
    if html.strip() and not shows_way_out(html):
        way_out = f'<p><a href="[[{UNSUBSCRIBE}]]">{_("Unsubscribe")}</a></p>'
        added = _at_end(html, way_out)
        # Where the end is hidden, too: at the beginning.
        html = added if shows_way_out(added) else _at_beginning(html, way_out)
    if not any(name_in(found) == UNSUBSCRIBE for found in TAG.finditer(text)):
        text = f"{text.rstrip()}\n\n{_('Unsubscribe')}: [[{UNSUBSCRIBE}]]\n"
    return html, text


def _at_end(html: str, more: str) -> str:
    """Within the body, where there is one; and not in what is never closed."""
    at = len(html)
    for piece in pieces(html):
        if piece.is_open:
            at = min(at, piece.start)
        elif piece.kind is TokenKind.END and piece.name in ("body", "html"):
            at = piece.start if piece.name == "body" or at == len(html) else at
    return html[:at] + more + html[at:]


def _at_beginning(html: str, more: str) -> str:
    body = next((each for each in pieces(html) if each.kind is TokenKind.BEGIN and each.name == "body"), None)
    at = body.end if body else 0
    return html[:at] + more + html[at:]


def noticed(html: str, *, opens: bool, clicks: bool) -> Text:
    """The HTML with our links and our pixel in it, compiled. Raises TagError."""
    html = html.translate(_NO_SIGNS)
    if clicks:
        html = _marked(html)
    filled = list[str | Tag]()
    for piece in html_compiled(_at_end(html, f"\ue000{_PIXEL}\ue001") if opens else html).pieces:
        filled += [piece] if isinstance(piece, Tag) else _ours_put_in(piece)
    return Text.of(filled)


def _marked(html: str) -> str:
    """With the number of each link that we notice in place of where it leads."""
    parts, at = list[str](), 0
    for number, link in numbered(html):
        if is_web(link.address):
            parts += (html[at : link.start - len(link.quote)], f'"\ue000{number}\ue001"')
            at = link.end + len(link.quote)
    return "".join([*parts, html[at:]])


def _ours_put_in(text: str) -> list[str | Tag]:
    filled = list[str | Tag]()
    for number, piece in enumerate(_MARK.split(text)):
        if number % 2 == 0:
            filled.append(piece)
        elif int(piece) == _PIXEL:
            filled += (f'<img src="{tracking_url()}/{OPENED}/', Tag(OPEN_TOKEN), '.gif" width="1" height="1" alt="">')
        else:
            filled += (f"{tracking_url()}/{CLICKED}/", Tag(CLICK_TOKEN), f"/{piece}/")
    return filled


@lru_cache(maxsize=64)
def addresses_of_links(html: str) -> Mapping[int, str]:
    """Where the links lead that we notice, by their number; tags stand as they were written."""
    return {number: link.address for number, link in numbered(html) if is_web(link.address)}


def has_tag(html: str, number: int) -> bool:
    """Whether where link `number` of this HTML leads depends on who it was sent to."""
    return TAG.search(addresses_of_links(html).get(number, "")) is not None


def target(html: str, number: int, values: Values) -> str | None:
    """Where link `number` of this HTML leads for this contact; None where there is no such link."""
    address = addresses_of_links(html).get(number)
    if address is None:
        return None
    try:
        return for_redirect(address_compiled(address).fill(values)) or None
    except TagError:
        return None
