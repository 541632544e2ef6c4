"""What a mail that is no DSN tells, up to where the returned mail begins, and whether a mail server tells it."""

import re
from dataclasses import dataclass, field
from typing import Final

from messaging.bounces.codes import codes_in
from messaging.bounces.mail.forms.vocabulary import vocabulary
from messaging.bounces.mail.parsed import ParsedMail

# No mail server takes longer to say what failed, though a list of recipients may be long.
MOST_LINES: Final = 4_000
LONGEST_LINE: Final = 1_000
MOST_COPIED: Final = 40
# A mail server says in so many lines that it brings bad news; a person may begin with fewer.
FIRST_LINES: Final = 16
VERY_FIRST_LINES: Final = 5
ANSWER: Final = re.compile(
    r"\s*(re|aw|sv|antw|vs|odp|fwd?|wg|tr|rv|enc|回复|答复|回覆|转发)(\[\d+\])?\s?[:：]", re.IGNORECASE
)
FORWARDED: Final = re.compile(
    r"forward|weitergeleitet|transf|reenvi|inoltrat|doorgestuurd|пересыла|转发|轉寄|転送|전달", re.IGNORECASE
)
QUOTED: Final = re.compile(r"\s*[>|]\s*[^\s<]+\s+\S")
# Without a copy of what failed, only this tells a bounce from talk about one.
TO_SENDER: Final = re.compile(
    r"\b(?:your|that you sent|you have sent) ?(?:e-?mail|message|mail|letter|posted article)|\byou sent\b|ihre? (?:e-?mail|nachricht|mail)|"
    r"votre (?:message|courriel|e-?mail)|su (?:mensaje|correo)|sua mensagem|(?:vostro|suo|tuo) messaggio|uw (?:bericht|e-?mail)|"
    r"ваш[ею]? (?:письмо|сообщение)|twoja wiadomo|您的|你的|お客様|メール|邮件|郵件|메일",
    re.IGNORECASE,
)
# Who writes without a person behind, under a subject that says nothing.
NO_REPLY: Final = re.compile(
    r"\b(?:no|not|never|do.?not|kein|ne.?pas|nao|non)[\-._]?(?:reply|antwort|respon\w*)", re.IGNORECASE
)
BARE: Final = re.compile(
    r"\W*(?:(?:about |re: ?)?(?:your|the|this|a|our|ihre?|votre|su) ?)?(?:e-?mail|message|mail|letter|notice|notification|info(?:rmation)?|report|status|"
    r"delivery|nachricht|mitteilung|hinweis|mensaje|correo|courriel|avis|avviso|meddelande|besked|bericht)?\W*",
    re.IGNORECASE,
)
MAY_HOLD_CODE: Final = re.compile(r"[45]\d\d[ \-]+#?[45]\.\d\.\d")
HAS_WORDS: Final = re.compile(r"[^\W\d_]{2}")
# A bounce to the owner of a list has the list's own fields; a newsletter has List-Unsubscribe without them.
FROM_LISTS: Final = ("list-id", "list-post", "x-mailman-version", "newsgroups")
FROM_ROBOTS: Final = ("x-autoreply", "x-autorespond", "x-vacation", "x-tmda-fingerprint")


@dataclass(frozen=True, slots=True)
class BounceText:
    """The lines of a mail before the returned one."""

    mail: ParsedMail
    lines: list[str]
    # The first lines of the copy, where it stands in the text and is no mail that could be read as one.
    copy: list[str] = field(default_factory=list)

    @property
    def failed(self) -> list[str]:
        """The recipients that X-Failed-Recipients names (Exim, Gmail), in order."""
        fields = self.mail.headers.all("x-failed-recipients")
        return [address for field in fields for part in field.split(",") if "@" in (address := part.strip(" <>\t"))]


def story_of(mail: ParsedMail) -> BounceText:
    """The lines that say what happened: without the copy of the mail that came back."""
    lines = [line[:LONGEST_LINE].replace("\xa0", " ").rstrip() for line in mail.lines[:MOST_LINES]]
    first = next((number for number, line in enumerate(lines) if line.strip()), 0)
    # A heading of the very first line is that of a summary, unless a person forwards.
    begin = first if lines and FORWARDED.search(lines[first]) else first + 1
    end = vocabulary().copy.first_line("\n".join(lines[begin:]))
    return (
        BounceText(mail, lines)
        if end < 0
        else BounceText(mail, lines[: begin + end], lines[begin + end :][:MOST_COPIED])
    )


def is_told_by_server(story: BounceText) -> bool:
    """Whether a mail server wrote the mail, to say that it could not deliver one.

    A person who quotes or forwards a bounce, a newsletter about bounces and an automatic reply are none.
    """
    mail, words = story.mail, vocabulary()
    headers = mail.headers
    if any(name in headers for name in FROM_ROBOTS):
        return False
    subject = mail.subject
    opening = _opens_at(story.lines)
    is_daemon = words.daemon.within(headers.get("from") or "<>")
    is_pathless = headers.get("return-path") == "<>" or "mailer-daemon" in headers.get("return-path").lower()
    speaks_of_failure = words.subject.within(subject)
    if words.not_a_bounce.begin(subject.lstrip("[( ")) and not speaks_of_failure:
        return bool(opening) and is_daemon
    is_from_list = any(name in headers for name in FROM_LISTS)
    if (("list-unsubscribe" in headers and not is_from_list) or "feedback-id" in headers) and not is_daemon:
        return False
    if is_from_list and not is_daemon:
        return words.subject.begin(subject) and opening == 1
    if "x-failed-recipients" in headers:
        return True
    if is_daemon or is_pathless:
        return bool(opening) or speaks_of_failure or (is_daemon and _holds_answer(story.lines))
    if NO_REPLY.search(headers.get("from")) and BARE.fullmatch(subject) and 0 < opening <= VERY_FIRST_LINES:
        return any(TO_SENDER.search(line) for line in story.lines[:VERY_FIRST_LINES])
    if ANSWER.match(subject) and not speaks_of_failure:
        return False
    if not speaks_of_failure or ("in-reply-to" in headers and ANSWER.match(subject)):
        return False
    returns = len(story.lines) < len(mail.lines) or mail.returned is not None
    if returns:
        return 0 < opening <= VERY_FIRST_LINES
    return opening == 1 and any(TO_SENDER.search(line) for line in story.lines[:VERY_FIRST_LINES])


def _holds_answer(lines: list[str]) -> bool:
    """Whether one of the first lines gives a server's refusal with both codes."""
    return any(MAY_HOLD_CODE.search(line) and all(codes_in(line)) for line in lines[:60])


def _opens_at(lines: list[str]) -> int:
    """The number of the line that tells of a failure, among the first that say anything; 0 where none does."""
    opening = vocabulary().opening
    first = [line.strip() for line in lines[: 4 * FIRST_LINES] if HAS_WORDS.search(line)][:FIRST_LINES]
    # What is told is wrapped anywhere, so that each line is read together with the next.
    for number, line in enumerate(first, 1):
        following = first[number] if number < len(first) else ""
        place = -1 if QUOTED.match(line) else opening.place(f"{line} {following}")
        if place >= 0:
            return number + (place >= len(line))
    return 0
