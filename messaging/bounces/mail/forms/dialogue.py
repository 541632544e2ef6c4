"""The SMTP dialogue that many mail systems print in a bounce: who was refused, and with which words."""

import re
from dataclasses import dataclass, field
from typing import Final

from messaging.bounces.mail.forms.mentions import addresses_in

# What we said: Sendmail's and Courier's ">>>", MDaemon's "-->", InterScan's "Sent <<<", hMailServer's "sent:".
COMMAND: Final = re.compile(
    r"\s*(?:>>>|-+>|=+>|sent <<<|c:|[\w ]{0,20}\bsent:|command:)\s*(RCPT TO|MAIL FROM|DATA|EHLO|HELO|QUIT|RSET|STARTTLS|BDAT|AUTH|\.)",
    re.IGNORECASE,
)
BARE_COMMAND: Final = re.compile(r"\W{0,6}(?:<<- |->> )?(RCPT TO|MAIL FROM):\s*<", re.IGNORECASE)
# What the server answered.
ANSWER: Final = re.compile(
    r"\s*(?:<<<|<-+|<=+|->>|received >>>|s:|remote (?:host|server) (?:said|replied|returned|responded)\s*:|response:|[\w ]{0,40}following response:?)?\s*"
    r"(([45])[0-5]\d(?:[ \-].*|$))",
    re.IGNORECASE,
)
# Sendmail's own conclusion: "550 5.1.1 <anna@example.org>... User unknown", "anna... Deferred: Connection timed out".
CONCLUSION: Final = re.compile(
    r"\s*((?:[45]\d\d[ \-])?(?:[45]\.\d{1,3}\.\d{1,3} )?)<?\"?([^\s<>\"|]{1,256})\"?>?\.\.\.\s*(.*)$"
)

# When each line was said, and in which session: "Mon 2007-06-11 10:00:01: [1234:2] <-- 550 no such user".
LOGGED: Final = re.compile(
    r"\s*[\[(]?(?:\w{2,3}\.?,? )?(?:\d{4}[-/]\d\d[-/]\d\d[ T])?\d\d:\d\d:\d\d(?:[.,]\d+)?[\])]?:?\s+(?:\[[\w:.]+\]:?\s+)?"
)
SESSION: Final = re.compile(r"-- ?transcript of session follows", re.IGNORECASE)
MAY_BE_ONE: Final = re.compile(r"\.\.\.|rcpt to|^\W*(?:[A-Za-z ]{1,40}:\s*)?[45][0-5]\d", re.IGNORECASE)
# Sendmail's words for what it leaves to the lines before.
VAGUE: Final = re.compile(r"service unavailable|mailer error|protocol error|^\s*$", re.IGNORECASE)
LONGEST: Final = 500


@dataclass(slots=True)
class Transcript:
    """Answers by lower-cased recipient, and the last that was about none in particular."""

    answers: dict[str, str] = field(default_factory=dict)
    conclusions: dict[str, str] = field(default_factory=dict)  # Sendmail's own, which holds a code more often
    names: dict[str, str] = field(default_factory=dict)  # the same recipients as they are written
    general: str = ""
    is_about_sender: bool = False  # `general` was said in reply to MAIL FROM

    def keep(self, name: str, words: str, *, surely: bool = False) -> None:
        """The first answer is kept, unless a later one surely is the server's own."""
        key = name.lower()
        self.names.setdefault(key, name)
        if surely or key not in self.answers:
            self.answers[key] = words


def dialogue_in(lines: list[str]) -> Transcript:
    """What the lines hold of an SMTP dialogue."""
    said = Transcript()
    lines = [_without_time(line) for line in lines]
    if not any(MAY_BE_ONE.search(line) for line in lines):
        return said
    in_session, before = False, ""  # what was said since the last command, about nobody in particular
    asked = ""  # the recipient whom the last command named
    is_sender_asked = False  # the last command named the sender
    open_answer = ""  # whose answer the next line may continue; "*" for none in particular
    for line in lines:
        # Most lines hold nothing of a dialogue, which a letter or two tell at once.
        may_command = ">" in line or ":" in line or "<" in line
        if command := (COMMAND.match(line) or BARE_COMMAND.match(line)) if may_command else None:
            found = addresses_in(line) if command[1].upper() == "RCPT TO" else []
            asked, open_answer, before = (found[0][2] if found else ""), "", ""
            is_sender_asked = command[1].upper() == "MAIL FROM"
        elif conclusion := CONCLUSION.match(line) if "..." in line else None:
            code, name, words = conclusion.groups()
            if not name[0].isdigit() or "@" in name:
                whole = f"{code}<{name}>... {words}" if "@" in name else f"{code}{name}... {words}"
                said.conclusions.setdefault(name.lower(), whole)
                said.keep(name, f"{before} {whole}".strip() if VAGUE.search(words) else whole)
            open_answer, before = "", ""
        elif answer := ANSWER.match(line) if "4" in line or "5" in line else None:
            whole = answer[1] if asked or open_answer else f"{before} {answer[1]}".strip()
            is_first = not said.general
            open_answer = _keep_answer(said, asked, whole, open_answer, is_sender_asked=is_sender_asked)
            if is_first and said.general:
                said.is_about_sender = is_sender_asked
            before = said.general if open_answer == "*" else ""
        elif in_session and line.strip() and not line.startswith(("...", "-->", "<--")):
            # What a program wrote that should have taken the mail.
            before = f"{before} {line.strip()}"[-LONGEST:].strip()
        in_session = in_session or bool(SESSION.search(line))
    return said


def _without_time(line: str) -> str:
    return LOGGED.sub("", line, count=1) if line.count(":") > 1 else line


def _keep_answer(said: Transcript, asked: str, words: str, open_answer: str, *, is_sender_asked: bool) -> str:
    words = words.strip()
    if asked:
        before = said.answers.get(asked.lower(), "")
        if before[:1] == "5" and words[:1] == "4":
            # The next server could not be reached; this one had refused for good.
            return ""
        said.keep(asked, f"{before} {words}" if open_answer == asked and before else words, surely=True)
        return asked
    named = [] if is_sender_asked else addresses_in(words)
    if len(named) == 1 and words[: named[0][0]].rstrip().endswith("<"):
        said.keep(named[0][2], words)
        return ""
    said.general = f"{said.general} {words}" if open_answer == "*" and said.general else said.general or words
    return "*"
