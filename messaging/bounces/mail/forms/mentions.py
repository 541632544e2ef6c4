"""Where a bounce names an address, and how: that tells the recipient from everyone else who is named."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise
from typing import Final

from messaging.bounces.mail.forms.vocabulary import vocabulary

LETTERS: Final = r"A-Za-z0-9!#$%&'*+/=?^_`{|}~.\-"
# A local part begins where no letter of one stands before it: otherwise a long line would take quadratic time.
ADDRESS: Final = re.compile(
    rf"(?<![{LETTERS}])(?:\"[^\"\n]{{1,64}}\"|[{LETTERS}]{{1,256}})@"
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9_.\-]{0,252}[A-Za-z0-9])?|\[[\d.]{7,15}\])"
)
# RFC 6531: letters of any script, which only brackets tell from the words around.
BRACKETED: Final = re.compile(r"<([^<>\s@]{1,256}@[^<>\s@]{1,253})>")
# X.400 addresses that hold one of the Internet: `c=US;a= ;p=org;dda:SMTP=anna@example.org;`, `RFC-822=anna(a)example.org`.
X400: Final = re.compile(
    r"(?:[a-z]+=[^;/\n]*[;/] ?)*(?:dda:|dd\.)?(?:smtp|rfc-?822)\s*[=:]\s*([^\s;()/<>@]{1,256}(?:@|\(a\))[^\s;()/<>@\]]{1,253})",
    re.IGNORECASE,
)
LABEL_IN_ADDRESS: Final = re.compile(r"(?:smtp|rcpt|addr|mail|to|user|rfc822)=(?=.*@)", re.IGNORECASE)
BULLET: Final = re.compile(r"(?:(?:[>*•·○●・※|+#\-]{1,8}|\d{1,3}[.)]|&gt;)\s+)+")
# What may stand around an address without being a word.
OPEN: Final = " \t\"'<([{:=：“‘「『【（＜«`*"
CLOSE: Final = "\"'>)]}”’」』】）＞»`*"
LISTED: Final = re.compile(r"[\s\"'<>\[\]]*(?:[,;、，&]|and|und|et|y|e|og|och|en|i|и)[\s\"'<>\[\]]*", re.IGNORECASE)
AFTER: Final = re.compile(r"[45]\d\d\b|[:;,.(\[\-–—：，、。…|]|on \w{3}|\S{0,8} ?\d{1,4}[./\-年]\d|<mailto")
# What a mail program prints of the header of a mail.
SUMMARY: Final = re.compile(
    r"\W{0,3}(?:from|sender(?: address)?|reply-to|return-path|message-?id|mail from|date|sent|subject|absender|von|betreff|gesendet|x-[\w-]+|received|"
    r"errors-to|in-reply-to|references|auto-submitted|发件人|寄件者|差出人|от|fra|från|van|mittente|remitente|remetente|expéditeur|reporting-mta|"
    r"generating server|envelope-from|original-envelope-id|list-[\w-]+|delivered-to|thread-[\w-]+|content-[\w-]+|disposition)\s*[:=：]",
    re.IGNORECASE,
)
TO: Final = re.compile(
    r"\W{0,3}(?:to|cc|bcc|an|kopie|à|para|til|naar|aan|do|кому|宛先|收件人|收件者|받는 ?사람)\s*[:：]", re.IGNORECASE
)
REPLY: Final = re.compile(r"\s*(?:<<<|<-+|<<-|->>|received >>>|s:)?\s*[45][0-5]\d[ \-]", re.IGNORECASE)
# "RCPT To:<anna@example.org>", behind ">>>" or a time; also in a list of a mail's recipients, which is no command.
COMMAND: Final = re.compile(r"[^<]{0,60}(?:>>>|-->|->|sent:|command:)?\s*(?:rcpt to|mail from):<", re.IGNORECASE)
GENERATED: Final = re.compile(r"\(?(?:ultimately )?(?:generated (?:from|by)|expanded from:?)$", re.IGNORECASE)
NOBODY: Final = re.compile(r"(?:post.?master|mailer-?daemon|abuse|hostmaster)@", re.IGNORECASE)
SENTENCE: Final = re.compile(r"[.!?。！？](?=\s+[^\s\d]|$)|\)\.")
# So many lines may a sentence be long.
LONGEST_SENTENCE: Final = 6


class Strength(IntEnum):
    """How surely a mention is that of a recipient."""

    ADDRESSED = 1  # "To:", in a summary of the mail
    NEAR = 2  # in a paragraph about a failure
    ANSWERED = 3  # in a server's answer
    SPOKEN = 4  # in a sentence about a failure
    ALONE = 5  # on a line of its own
    NAMED = 6  # labelled, or in the brackets and with the colon of qmail


@dataclass(frozen=True, slots=True)
class Mention:
    """An address in a line, and what the line says about it: all of it in a sentence, else what follows."""

    line: int
    address: str
    strength: Strength
    rest: str
    indent: int


def addresses_in(text: str) -> list[tuple[int, int, str]]:
    """Begin, end and text of each address in the line."""
    if "@" not in text and "(a)" not in text:
        return []
    if ("=" in text or "MTP:" in text) and (match := X400.search(text)):
        return [(match.start(), match.end(), match[1].replace("(a)", "@").rstrip(".,"))]
    found = [_trimmed(match.end(), match[0]) for match in ADDRESS.finditer(text)]
    if not text.isascii():
        whole = [(match.start(1), match.end(1), match[1]) for match in BRACKETED.finditer(text)]
        return whole if whole and len(whole) >= len(found) else found
    return found


def _trimmed(end: int, address: str) -> tuple[int, int, str]:
    lean = LABEL_IN_ADDRESS.sub("", address, count=1).lstrip("'`*={|}/!?#&-.")
    return end - len(lean), end, lean


def mentions_in(lines: list[str]) -> Iterator[Mention]:
    """Every address that may be a recipient, in order."""
    for number, line in enumerate(lines):
        if found := addresses_in(line):
            yield from _mentions(number, found, lines)


def _mentions(number: int, found: list[tuple[int, int, str]], lines: list[str]) -> Iterator[Mention]:
    line = lines[number]
    indent = len(line) - len(line.lstrip())
    if SUMMARY.match(line):
        return
    if len(found) > 1 and _is_list(line, found):
        for _, _, address in found:
            yield Mention(number, address, Strength.ALONE, "", indent)
        return
    for at, (start, end, address) in enumerate(found):
        lead, rest = _lead(line[:start]), _rest(line[end:])
        strength = _strength(lead, rest, found[0], number, lines) if at == 0 else _spoken(lead, address, number, lines)
        if strength and not (strength <= Strength.SPOKEN and NOBODY.match(address)):
            tells = strength <= Strength.SPOKEN or (lead and vocabulary().failure.within(lead))
            yield Mention(number, address, strength, line.strip() if tells else _plain(rest), indent)
        if strength and strength > Strength.SPOKEN:
            for _, _, further in _listed_after(line, found[at:]):
                yield Mention(number, further, strength, "", indent)
            return


def _listed_after(line: str, found: list[tuple[int, int, str]]) -> Iterator[tuple[int, int, str]]:
    """The addresses that go on a list which the first of them begins: "anna@example.org, bert@example.org"."""
    for before, after in pairwise(found):
        if not LISTED.fullmatch(line[before[1] : after[0]]):
            return
        yield after


def _lead(text: str) -> str:
    """What stands before the address, without brackets and a bullet."""
    text = text.rstrip(OPEN).removesuffix("mailto").rstrip(OPEN).lstrip()
    bullet = BULLET.match(text + " ")
    return text[bullet.end() :].strip() if bullet else text.lstrip("[(\"'<").strip()


def _rest(text: str) -> str:
    """What stands after the address, without brackets, arrows and quotation marks."""
    rest = text.lstrip(CLOSE).strip()
    return rest if rest.startswith("<mailto") else rest.lstrip("<＜").lstrip()


def _plain(rest: str) -> str:
    if rest.startswith("<mailto"):
        rest = rest.partition(">")[2]
    return rest.lstrip(":;,.|：- \t").strip()


def _is_list(line: str, found: list[tuple[int, int, str]]) -> bool:
    """Whether the line holds nothing but addresses."""
    edges = [0, *(edge for start, end, _ in found for edge in (start, end)), len(line)]
    return all(not line[edges[i] : edges[i + 1]].strip(" \t,;<>\"'()[]*") for i in range(0, len(edges), 2))


def _strength(lead: str, rest: str, found: tuple[int, int, str], number: int, lines: list[str]) -> Strength | None:
    words, line, (start, _, address) = vocabulary(), lines[number], found
    if not lead:
        if rest == ":":
            return Strength.NAMED
        if not rest:
            return None if _asks_to_write_to(number, lines) else Strength.ALONE
        if AFTER.match(rest):
            return Strength.ALONE
        # A wrapped sentence may break before an address, but a paragraph begins with one only to tell of it.
        above = lines[number - 1].strip() if number else ""
        if words.failure.within(rest) and (not above or above.endswith(":") or _begins_with_address(above)):
            return Strength.ALONE
        return _spoken("", address, number, lines)
    if REPLY.match(line) or COMMAND.match(line):
        return Strength.ANSWERED
    if GENERATED.match(lead):
        return Strength.ALONE
    if TO.match(line):
        return Strength.ADDRESSED
    if words.field.begin(lead) and (":" in line[:start] or "：" in line[:start]):
        return Strength.NAMED
    if len(lead) < 60 and words.recipient.within(lead) and not _is_contact(lead, number, lines):
        return Strength.NAMED
    if (
        line[start - 1 : start] in "<("
        and not rest.strip(":,")
        and _is_name(lead)
        and not _is_contact(lead, number, lines)
    ):
        return Strength.ALONE
    return _spoken(lead, address, number, lines)


def _begins_with_address(line: str) -> bool:
    """Whether it is one of several lines that each tell of a recipient."""
    return bool(ADDRESS.match(line.lstrip(OPEN)))


def _spoken(lead: str, address: str, number: int, lines: list[str]) -> Strength | None:
    """Whether the address stands in a sentence about a failure."""
    if REPLY.match(lines[number]):
        return Strength.ANSWERED
    if _is_contact(lead, number, lines):
        return None
    before, after = _around(number, lines)
    failure = vocabulary().failure
    line = lines[number]
    at = line.find(address[:200])
    sentence = (
        SENTENCE.split(f"{before} {line[:at]}")[-1]
        + " x "
        + SENTENCE.split(f"{line[at + len(address) :]} {after}", maxsplit=1)[0]
    )
    if failure.within(sentence):
        return Strength.SPOKEN
    return Strength.NEAR if failure.within(f"{before} {line} {after}") else None


def _is_name(lead: str) -> bool:
    return len(lead) < 50 and lead.count(" ") < 5 and not lead.endswith((".", ":", ",", ";"))


def _is_contact(lead: str, number: int, lines: list[str]) -> bool:
    """Whether what stands before the address asks to write there, or says that someone is the sender."""
    words = vocabulary()
    if len(lead) < 12 and number:
        lead = f"{lines[number - 1].strip()[-60:]} {lead}"
    lead = lead[-60:].strip()
    return words.not_recipient.within(lead) or words.contact.within(lead)


def _asks_to_write_to(number: int, lines: list[str]) -> bool:
    """Whether the text above an address that stands alone ends in "please contact" or the like."""
    words = vocabulary()
    above = next((lines[i].strip() for i in range(number - 1, max(number - 4, -1), -1) if lines[i].strip()), "")[-40:]
    last = above.rstrip(": ,").rpartition(" ")[2]
    return words.not_recipient.within(above) or (number > 0 and words.contact.within(last))


def _around(number: int, lines: list[str]) -> tuple[str, str]:
    """The lines before and after this one, up to blank ones."""
    begin = end = number
    while begin > 0 and number - begin < LONGEST_SENTENCE and lines[begin - 1].strip():
        begin -= 1
    while end + 1 < len(lines) and end - number < LONGEST_SENTENCE and lines[end + 1].strip():
        end += 1
    before, after = lines[begin:number], lines[number + 1 : end + 1]
    return " ".join(line.strip() for line in before), " ".join(line.strip() for line in after)
