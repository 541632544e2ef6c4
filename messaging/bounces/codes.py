"""The SMTP reply code and the enhanced status code that a text holds. Pure."""

import re
from typing import Final

# "550 5.1.1 ...", "smtp; 550-5.1.1", "#550 5.1.1", "550 #5.1.1": what nearly all begin with.
FRONT: Final = re.compile(r"[\s<(\"'#]*(?:smtp;\s*)?([245][0-7]\d)[ \-_]?[\s(\[#]*([245]\.[0-7]\.\d{1,3})(?![\d]|\.\d)")
# RFC 3463 2: class 2, 4 or 5, subject 0 to 7, a detail. With a fourth part it is an IP address; after a letter or a
# dot, a version.
STATUS: Final = re.compile(
    r"(?<![\w.])(?<!\d-)([245]\.[0-7]\.\d{1,3})(?![\d\-]|\.\d)"
    r"|(?<=[245]\d\d[-_])([245]\.[0-7]\.\d{1,3})(?!\d|\.\d)"
)
# RFC 5321 4.2.1: three digits, which begin the text, or follow a mark or a word that announces them.
REPLY: Final = re.compile(
    r"(?:^|[;:<(\"'>#=\[|{]|\b(?:said|code|error|reply|replied|response|responded|status|returned|smtp|failed|host|with|and|was|got))"
    r"[\s\"'(<#:\[]*([245][0-7]\d)(?=[\s\-:;_,)\"'\]<#.]|$)(?!\.\d)(?!-\d\d)",
    re.IGNORECASE | re.MULTILINE,
)
BEFORE_STATUS: Final = re.compile(r"(?<![\w.])([45][0-7]\d)[ \-_][\s(\[#]*[45]\.[0-7]\.\d")
# A number with what it counts is no reply.
COUNTED: Final = re.compile(
    r"\s*(?:seconds?|minutes?|hours?|days?|messages|recipients|bytes|k?b|[km]i?b|e?mails|times|per)\b", re.IGNORECASE
)


def codes_in(text: str) -> tuple[str, str]:
    """The SMTP reply code (RFC 5321 4.2) and the enhanced status code (RFC 3463 2) in the words; "" where none.

    Of several status codes the first that says something counts: 5.1.1 before 5.1.0, that before 5.0.0.
    """
    if (front := FRONT.match(text)) and not front[2].endswith(".0") and front[1][0] == front[2][0]:
        return front[1], front[2]
    status = _status_in(text)
    return _reply_in(text, status), status


def _status_in(text: str) -> str:
    found = [code for code in (match[1] or match[2] for match in STATUS.finditer(text)) if code[0] != "2"] or [
        code for code in (match[1] for match in STATUS.finditer(text[:12])) if code
    ]
    return min(found, key=vagueness, default="")


def _reply_in(text: str, status: str) -> str:
    if before := BEFORE_STATUS.search(text):
        return before[1]
    replies = [match for match in REPLY.finditer(text) if not COUNTED.match(text, match.end())]
    for match in replies:
        if not status or match[1][0] == status[0]:
            return match[1]
    return ""


def vagueness(status: str) -> int:
    """0 for a code that names a cause, 1 where only the subject is known (5.1.0), 2 where nothing is (5.0.0)."""
    return 2 if status.endswith(".0.0") else 1 if status.endswith(".0") else 0


def better_of(given: str, found: str) -> str:
    """The status code that says more: the one in the words, where the given one is vaguer and of the same class."""
    if not given:
        return found
    is_same = given[:1] == found[:1]
    return found if is_same and vagueness(found) < vagueness(given) else given
