"""What a bounce tells a human: it often says more than its machine-readable part, and about which recipient."""

import re
from bisect import bisect_right
from functools import cached_property
from typing import Final

from messaging.bounces.mail.parsed import ADDRESS, ParsedMail
from messaging.bounces.mail.reports import RecipientReport
from messaging.bounces.ways import is_of, names_other_server

# Who sends bounces, by name or local part, in From.
DAEMON: Final = re.compile(
    r"mailer.?daemon|post.?master|mail.?daemon|mdaemon|mail(?:.server)? delivery|delivery.?(?:sub)?.?system|"
    r"mail.?system|mail.?administrator|mail.?admin\b|mail.?robot|bounced?\b|undeliver|microsoftexchange[0-9a-f]{8}|"
    r"system.?administrator|delivery.?(?:status|failure|report|notif)|non.?delivery|autoresponder@amazonses|complaints@.*amazonses|mail.?gate|"
    r"antivirus|imss|mail.?marshal|mailsweeper|symantec|e500",
    re.IGNORECASE,
)
# Who answers a mail for reasons of their own stands in the text as well: no recipient.
LONGEST_CHUNK: Final = 2_000
FEWEST_WORDS: Final = 3
FEWEST_NEAR: Final = 2
# Sendmail takes every 550 for an unknown user, whatever the receiver said in the line before.
OPINION: Final = re.compile(
    r"^(<<< [^\n]*\n)[45]\d\d [45]\.\d\.\d [^\n]*(?:User unknown|Service unavailable)$", re.MULTILINE
)
SHORTEST_NAME: Final = 5
MOST_MISSING: Final = 10
WORD: Final = re.compile(r"[^\W\d_]{2,}")
BLANK_LINE: Final = re.compile(r"\n[ \t]*\n")
# A server's answer: 4xx or 5xx at the begin of a line or after the words that introduce one.
ANSWER: Final = re.compile(
    r"(?:^|[:<>\"'(\[]|\b(?:said|error|returned|replied|code|reason|response|reply|was|received|status))[ \t\"'<>:*]*"
    r"([45][0-5]\d)(?:(?=[ \-:#,.])|$)(?!\.\d+\.\d)",
    re.IGNORECASE | re.MULTILINE,
)
ANY_ANSWER: Final = re.compile(r"(?<![\d.\-@/=])([45][0-5]\d)(?=[ \-][45]\.\d{1,3}\.\d{1,3}\b)")


class Prose:
    """The text for humans of one mail, and who is spoken of where."""

    def __init__(self, mail: ParsedMail, recipients: list[str]) -> None:
        self._mail, self._recipients = mail, recipients

    @cached_property
    def text(self) -> str:
        text = self._mail.text
        return OPINION.sub(r"\1", text) if "\n<<< " in text else text

    @cached_property
    def _first(self) -> dict[str, int]:
        """Where each recipient, in lower case, is named first."""
        first: dict[str, int] = {}
        wanted = {recipient.lower() for recipient in self._recipients}
        for match in ADDRESS.finditer(self.text):
            address = match[0].lower().strip("'`*")
            if address in wanted and address not in first:
                first[address] = match.start()
        missing = [address for address in wanted - first.keys() if len(address) >= SHORTEST_NAME]
        if 0 < len(missing) <= MOST_MISSING:
            # What no pattern takes for an address: someone@[192.0.2.1], a quoted local part, a local alias.
            lowered = self.text.lower()
            first |= {address: at for address in missing if (at := lowered.find(address)) >= 0}
        return first

    @cached_property
    def _others(self) -> list[int]:
        return sorted(self._first.values())

    def nearest(self, recipient: str) -> str:
        """What stands behind the recipient, up to a blank line or the next one; empty where it is hardly a word.

        What follows it is for anyone: that a copy is below, that there is no need to do anything.
        """
        at = self._first.get(recipient.lower())
        if at is None:
            return ""
        next_one = bisect_right(self._others, at)
        end = self._others[next_one] if next_one < len(self._others) else len(self.text)
        begin = at + len(recipient)
        words = BLANK_LINE.split(self.text[begin : min(end, begin + LONGEST_CHUNK)], maxsplit=1)[0].strip(" :>\n")
        return words if len(WORD.findall(words)) >= FEWEST_NEAR else ""

    def about(self, recipient: str) -> str:
        """What is said of this recipient: up to the next one, or all of it where it is the only one."""
        at = self._first.get(recipient.lower())
        if at is None:
            return self.text[:LONGEST_CHUNK] if len(self._others) <= 1 else ""
        next_one = bisect_right(self._others, at)
        end = self._others[next_one] if next_one < len(self._others) else len(self.text)
        chunk = self.text[at:end]
        if len(self._others) == 1:
            # What stands before the address (a heading such as "Mailbox full") belongs to the only recipient, too.
            return chunk[:LONGEST_CHUNK] + "\n" + self.text[max(0, at - LONGEST_CHUNK) : at]
        if len(WORD.findall(chunk, len(recipient), 400)) >= FEWEST_WORDS:
            return chunk[:LONGEST_CHUNK]
        # A list of addresses, and below it one reason for all of them.
        last = self._others[-1]
        return chunk[:200] + "\n" + self.text[last : last + LONGEST_CHUNK]

    def is_by_recipients_server(self, report: RecipientReport) -> bool:
        """Whether it may be the recipient's own server that said it, as far as the mail tells: one that was asked, or
        one of that domain which reports it itself. In doubt it was one on the way."""
        if report.is_by_other:
            return True
        speaker = report.said_by or self._mail.headers.address("from").rpartition("@")[2]
        told = self.about(report.recipient) if len(self._recipients) == 1 else self.nearest(report.recipient)
        return is_of(speaker, report.recipient) or names_other_server(told)


def is_from_daemon(mail: ParsedMail) -> bool:
    """Whether a mail server wrote this: by its sender, or by an empty return path."""
    return is_daemon(mail) or has_no_return_path(mail)


def is_daemon(mail: ParsedMail) -> bool:
    """Whether the sender's name or address is one of those under which mail servers report."""
    headers = mail.headers
    return "x-failed-recipients" in headers or bool(DAEMON.search(headers.get("from") or headers.get("return-path")))


def has_no_return_path(mail: ParsedMail) -> bool:
    """RFC 5321 section 4.5.5: what must not be answered has an empty return path; automatic replies have one, too."""
    return mail.headers.get("return-path").strip() == "<>"


def reply_code_in(text: str) -> str:
    """The 4xx or 5xx of a server's answer within prose, which has other numbers as well; empty if none."""
    match = ANSWER.search(text) or ANY_ANSWER.search(text)
    return match[1] if match else ""
