"""Reads a bounce that is no DSN by what all of them have in common.

A mail server says that something failed, names the recipient on a line of its own, behind a label or in a sentence,
gives the reason beside, below or above it, or prints its SMTP dialogue, and returns the mail below.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from messaging.bounces.codes import codes_in
from messaging.bounces.mail.dates import moment_of
from messaging.bounces.mail.forms import returned
from messaging.bounces.mail.forms.dialogue import Transcript, dialogue_in
from messaging.bounces.mail.forms.mentions import ADDRESS, SUMMARY, TO, Mention, Strength, addresses_in, mentions_in
from messaging.bounces.mail.forms.story import BounceText, is_told_by_server, story_of
from messaging.bounces.mail.forms.vocabulary import vocabulary
from messaging.bounces.mail.parsed import ParsedMail
from messaging.bounces.mail.reports import RecipientReport

# A reason is a few lines long; what comes after that many is about something else.
MOST_LINES: Final = 24
LONGEST: Final = 2_000
MOST_RECIPIENTS: Final = 2_000
RULER: Final = re.compile(r"\s*[-=_*~#|+]{3,}\s*$")
HEADING: Final = re.compile(r"\s*[-=_*~#|+]{3,}.*[^-=_*~#|+\s].*$")
SESSION: Final = re.compile(r"transcript|session|>>>|dialog", re.IGNORECASE)
# "(generated from anna@example.org)", "(expanded from: <anna@example.org>)": the address that was written to.
ORIGIN: Final = re.compile(
    r"\(?\s*(?:ultimately )?(?:generated (?:from|by)|expanded from:?|originally addressed to|was addressed to|original address:|forwarded from)\s*<?([^\s<>()]+@[^\s<>()]+)>?\s*\)?:?",
    re.IGNORECASE,
)
REASON_FIRST: Final = re.compile(r"-+ ?failure reasons", re.IGNORECASE)
# Section headings of Sendmail, and its words behind an address, say what became of the recipients below or before.
SECTIONS: Final = (
    (
        re.compile(r"transient non-fatal|\(warning\)|still trying|will keep trying|delivery delayed", re.IGNORECASE),
        "delayed",
    ),
    (
        re.compile(r"permanent (?:fatal|delivery)|unrecoverable|fatal errors|bounced|undeliverable", re.IGNORECASE),
        "failed",
    ),
    (re.compile(r"successfully (?:delivered|sent)|delivery succe|was delivered to", re.IGNORECASE), "delivered"),
    (re.compile(r"relayed|delivered, no (?:further|delivery)", re.IGNORECASE), "relayed"),
    (re.compile(r"expanded by|mailing list\)", re.IGNORECASE), "expanded"),
)
# The recipient's name alone, where a heading says that recipients follow: "screenname", "userx    No matches".
FOLLOWS: Final = re.compile(r"(?:following|recipients?|address(?:es|\(es\))?)\b[^\n]*:\s*$", re.IGNORECASE)
NAME: Final = re.compile(r"\s*([A-Za-z0-9][\w.\-+]{1,63})(?:\s*$|\s+\((.{1,200})\)\s*$|\s{3,}(\S.*)$)")
MAY_HOLD_CODE: Final = re.compile(r"[45]\.\d\.\d")
BEGINS_WITH_STATUS: Final = re.compile(r"\W*[45]\.\d\.\d{1,3}\s+\S")
LABEL: Final = re.compile(r"^[^:：]{1,60}[:：]")


@dataclass(slots=True)
class Recipient:
    """An address that failed, and the lines that say why."""

    address: str
    strength: Strength
    blocks: list[str] = field(default_factory=list)
    original: str = ""
    action: str = ""


def claims(mail: ParsedMail) -> bool:
    """Asked last: any mail may be a bounce."""
    return bool(mail.lines)


def read(mail: ParsedMail) -> list[RecipientReport]:
    """A report for each recipient in the order of the mail; empty where it is no bounce."""
    story = story_of(mail)
    if not is_told_by_server(story):
        return []
    dialogue = dialogue_in(story.lines)
    return _reports(story, dialogue, _recipients(story, dialogue))


def read_unnamed(mail: ParsedMail) -> list[RecipientReport]:
    """A report on the one to whom the returned mail went, where a bounce names nobody; empty where it is no bounce."""
    story = story_of(mail)
    if not is_told_by_server(story):
        return []
    addressed = _gathered([m for m in mentions_in(story.lines) if m.strength == Strength.ADDRESSED], story.lines)
    named = {each.address for each in addressed} or {
        found for line in story.copy if TO.match(line) for _, _, found in addresses_in(line)
    }
    address = returned.only_addressee(mail) or (named.pop() if len(named) == 1 else "")
    return _reports(story, dialogue_in(story.lines), [Recipient(address, Strength.ADDRESSED)])


def _reports(story: BounceText, dialogue: Transcript, recipients: list[Recipient]) -> list[RecipientReport]:
    mail, reports = story.mail, []
    if not recipients:
        return []
    action = _action_of(story)
    lead = _lead(story, recipients)
    has_reason = any(recipient.blocks for recipient in recipients)
    when = moment_of(mail.headers.get("date"))
    all_said = [_said(recipient, dialogue) for recipient in recipients[:MOST_RECIPIENTS]]
    if not any(any(codes_in(said)) for said in all_said) and (answer := _coded_line(story)):
        all_said = [answer] * len(all_said)
    for recipient, said in zip(recipients, all_said, strict=False):
        prose = lead if len(recipients) == 1 or not has_reason else _joined(recipient.blocks)
        reply, status = codes_in(said)
        status = status or _concluded(recipient, dialogue, reply)
        is_of_sender = dialogue.is_about_sender and dialogue.general in said and bool(dialogue.general)
        reports.append(
            RecipientReport(
                recipient.address, said, action=recipient.action or action, reply_code=reply, status_code=status,
                stage="sender" if is_of_sender else "",
                original_recipient=recipient.original, prose=prose, occurred_at=when,
            )
        )  # fmt: skip
    return reports


def _recipients(story: BounceText, dialogue: Transcript) -> list[Recipient]:
    """The recipients whom the mail names most surely."""
    mentions = list(mentions_in(story.lines))
    if failed := story.failed:
        known = _gathered([m for m in mentions if m.strength >= Strength.ALONE], story.lines)
        by_address = {each.address.lower(): each for each in known}
        by_origin = {each.original.lower(): each for each in reversed(known) if each.original}
        return [
            by_address.get(address.lower()) or _under(address, by_origin.get(address.lower()))
            for address in dict.fromkeys(failed)
        ]
    sure = [mention for mention in mentions if mention.strength >= Strength.ALONE]
    if found := _gathered(sure, story.lines):
        return found
    if found := list(_named_alone(story)):
        return found
    # A sentence says more surely who failed than a reply, which may name a new address or the sender.
    if found := _gathered([mention for mention in mentions if mention.strength == Strength.SPOKEN], story.lines):
        return _without_sender(found, story.mail)
    if found := [Recipient(_whole(name, story.mail), Strength.ANSWERED) for name in dialogue.names.values()]:
        return found
    for strength in (Strength.ANSWERED, Strength.NEAR):
        if found := _gathered([mention for mention in mentions if mention.strength == strength], story.lines):
            return _without_sender(found, story.mail)
    return []


def _under(address: str, known: Recipient | None) -> Recipient:
    """The recipient under the address that the header gives it."""
    return Recipient(address, Strength.NAMED, blocks=known.blocks if known else [])


def _without_sender(found: list[Recipient], mail: ParsedMail) -> list[Recipient]:
    senders = {mail.headers.address("to").lower(), mail.headers.address("from").lower()}
    if mail.returned:
        senders.add(mail.returned.headers.address("from").lower())
    return [each for each in found if each.address.lower() not in senders] or found


def _gathered(mentions: list[Mention], lines: list[str]) -> list[Recipient]:
    """The recipients in order, each with the text that belongs to it."""
    kept: list[Mention] = []
    for mention in mentions:
        if kept and _belongs_to(kept[-1], mention, lines):
            continue
        kept.append(mention)
    is_reason_first = any(REASON_FIRST.match(line.strip()) for line in lines[:40])
    found: dict[str, Recipient] = {}
    waiting: list[Recipient] = []
    for at, mention in enumerate(kept):
        key = mention.address.lower()
        recipient = found.setdefault(key, Recipient(mention.address, mention.strength))
        end = kept[at + 1].line if at + 1 < len(kept) else len(lines)
        if is_reason_first:
            begin = kept[at - 1].line + 1 if at else 0
            block = _joined(line for line in lines[begin : mention.line] if not HEADING.match(line))
        else:
            block = "" if end == mention.line else _block(mention, lines, end)
        recipient.action = recipient.action or _section(lines, mention)
        if origin := ORIGIN.search(block):
            recipient.original = recipient.original or origin[1]
            block = (block[: origin.start()] + block[origin.end() :]).strip(" :")
        waiting.append(recipient)
        if block:
            # Recipients may be listed first, and the reason that all of them share last.
            for each in waiting:
                if each is recipient or not each.blocks:
                    each.blocks.append(block)
            waiting = []
    return [_known(recipient) for recipient in found.values()]


def _known(recipient: Recipient) -> Recipient:
    """Under the address that was written to, where the server names its own inner one: anna@ims-ms-daemon."""
    if recipient.original and "." not in recipient.address.rpartition("@")[2]:
        recipient.address = recipient.original
    return recipient


def _belongs_to(before: Mention, mention: Mention, lines: list[str]) -> bool:
    """Whether the mention is part of the reason that stands, more deeply indented, below the one before."""
    if mention.strength == before.strength == Strength.SPOKEN or mention.line == before.line:
        return False
    if mention.line == before.line + 1 and ORIGIN.match(lines[mention.line].strip()):
        return True
    is_joined = all(line.strip() for line in lines[before.line : mention.line])
    return is_joined and mention.indent > before.indent + 1


def _block(mention: Mention, lines: list[str], end: int) -> str:
    """What is said about the mention: the rest of its line, and the lines below."""
    parts = [mention.rest] if mention.rest else []
    closing, ends_paragraph, is_deep = vocabulary().closing, False, False
    for number in range(mention.line + 1, min(end, mention.line + 1 + MOST_LINES)):
        line = lines[number].strip()
        if not line:
            ends_paragraph = True
            continue
        if SUMMARY.match(line):
            continue
        if RULER.match(line):
            if parts:
                break
            continue
        depth = len(lines[number]) - len(lines[number].lstrip())
        if is_deep and ends_paragraph and depth <= mention.indent:
            break
        is_deep = is_deep or depth > mention.indent
        if HEADING.match(line) and (parts or SESSION.search(line)):
            break
        if closing.begin(line):
            if ends_paragraph:
                break
            if not parts:
                continue
        parts.append(_without_label(line))
        ends_paragraph = False
    return _joined(parts)


def _without_label(line: str) -> str:
    label = LABEL.match(line)
    if label and vocabulary().reason.begin(label[0][:-1].strip()):
        return line[label.end() :].strip()
    return line


def _joined(parts: "Iterator[str] | list[str]") -> str:
    return " ".join(" ".join(parts).split())[:LONGEST]


def _said(recipient: Recipient, dialogue: Transcript) -> str:
    """The words about this recipient: those with a code first."""
    answer = dialogue.answers.get(recipient.address.lower()) or dialogue.answers.get(
        recipient.address.partition("@")[0].lower(), ""
    )
    coded = [words for words in (*recipient.blocks, answer) if words and any(codes_in(words))]
    if coded:
        return next((words for words in coded if all(codes_in(words))), coded[0])
    if dialogue.general and not any(map(vocabulary().failure.within, recipient.blocks)):
        # What stands beside the recipient tells of no failure: a summary of the mail.
        return answer or dialogue.general
    return next((words for words in (*recipient.blocks, answer) if words), dialogue.general)


def _concluded(recipient: Recipient, dialogue: Transcript, reply: str) -> str:
    """The status code that our own side gave the server's bare reply, if it is of the same class."""
    status = codes_in(dialogue.conclusions.get(recipient.address.lower(), ""))[1]
    return status if status[:1] == reply[:1] else ""


def _coded_line(story: BounceText) -> str:
    """A line anywhere in the story that gives a server's answer with its codes; empty where there is none."""
    lines = [line.strip() for line in story.lines[:400] if MAY_HOLD_CODE.search(line) and not SUMMARY.match(line)]
    return next((line for line in lines if all(codes_in(line))), "") or next(
        (line for line in lines if BEGINS_WITH_STATUS.match(line)), ""
    )


def _lead(story: BounceText, recipients: list[Recipient]) -> str:
    """What is told before the first recipient is named, or all of it where the mail names none."""
    first = recipients[0].address.lower()
    parts = []
    for line in story.lines[: 3 * MOST_LINES]:
        if HEADING.match(line) or RULER.match(line):
            continue
        parts.append(line.strip())
        if recipients[0].strength > Strength.ADDRESSED and first in line.lower() and len(line.split()) < 3:
            break
    return _joined(parts)


def _section(lines: list[str], mention: Mention) -> str:
    """What the line itself, or the last heading above it, says of the recipients' fate; empty where nothing."""
    if action := _fate(mention.rest):
        return action
    for number in range(mention.line - 1, max(mention.line - 400, -1), -1):
        if HEADING.match(lines[number]) and lines[number].strip("-=_*~#|+ ")[:1].isalpha():
            return _fate(lines[number])
    return ""


def _fate(text: str) -> str:
    return next((action for pattern, action in SECTIONS if text and pattern.search(text)), "")


def _action_of(story: BounceText) -> str:
    """Failed, or delayed where a warning says that the server goes on trying."""
    words = vocabulary()
    text = " ".join([story.mail.subject, *(line.strip() for line in story.lines[: 2 * MOST_LINES])])[:6_000]
    if words.delayed.within(text) and not words.gave_up.within(text):
        return "delayed"
    return "failed"


def _whole(name: str, mail: ParsedMail) -> str:
    return name if ADDRESS.fullmatch(name) else returned.completed(name.strip("<>\"'"), mail)


def _named_alone(story: BounceText) -> Iterator[Recipient]:
    """Local names below a heading: AOL, Yale, GroupWise."""
    follows = False
    for line in story.lines[: 4 * MOST_LINES]:
        text = line.strip()
        if not text:
            continue
        if FOLLOWS.search(text):
            follows = True
            continue
        match = NAME.match(line) if follows else None
        if not match or addresses_in(line):
            follows = False
            continue
        why = match[2] or match[3] or ""
        yield Recipient(_whole(match[1], story.mail), Strength.ALONE, [why] if why else [])
