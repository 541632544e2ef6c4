"""The SMTP reply code and the enhanced status code that a text holds. Pure."""

import re
from collections.abc import Iterable
from typing import Final

# "550 5.1.1 ...", "smtp; 550-5.1.1", "#550 5.1.1", "550 #5.1.1": what nearly all begin with. Of one class, and the
# status says more than its subject.
FRONT: Final = re.compile(
    r"[\s<(\"'#]*(?:smtp;\s*)?(([245])[0-7]\d)[ \-_]?[\s(\[#]*(\2\.[0-7]\.\d{1,3})(?<!\.0)(?!\d|\.\d)"
)
# In one pass, as they never overlap. RFC 3463 2: class 2, 4 or 5, subject 0 to 7, a detail; with a fourth part it is an
# IP address. RFC 5321 4.2.1: three digits, in front of a status code, or after what announces them.
CODE: Final = re.compile(r"[245](?:\.[0-7]\.\d{1,3}(?!\d|\.\d)|(?<![\w.@/%-].)[0-7]\d(?![\w%]|\.\d|-\d\d))")
BEFORE_STATUS: Final = re.compile(r"(?<![\w.])([245][0-7]\d)[ \-_][\s(\[#'\"]*$")
# Exchange 5.5 puts its own code before: "MSEXCH:IMS:ORG:SITE:SERVER 3550 (000B09B6) 552 Mailbox full".
ANNOUNCED: Final = re.compile(
    r"(?:^|[\n\r;:<>\"'=\[|{]|\.\s|\b(?:said|code|error|reply|replied|response|responded|status|returned|smtp|failed|host|with|and|was|got))"
    r"[\s\"'(<#:\[]*$|\(0[0-9A-F]{7}\) $",
    re.IGNORECASE,
)
# A number with what it counts is no reply.
COUNTED: Final = re.compile(
    # Most words are told by their first letter.
    r"\s*(?=[bdehkmprst])(?:seconds?|minutes?|hours?|days?|messages|recipients|bytes|k?b|[km]i?b|e?mails|times|per)\b",
    re.IGNORECASE,
)
# So much before a code is looked at.
BEFORE: Final = 16


def codes_in(text: str) -> tuple[str, str]:
    """The SMTP reply code (RFC 5321 4.2) and the enhanced status code (RFC 3463 2) in the words; "" where none.

    Of several status codes the first that says something counts: 5.1.1 before 5.1.0, that before 5.0.0.
    """
    if front := FRONT.match(text):
        return front[1], front[3]
    found: list[re.Match[str]] = []
    replies: list[re.Match[str]] = []
    for match in CODE.finditer(text):
        if match[0][1] != ".":
            replies.append(match)
        elif _is_status(text, match.start()):
            found.append(match)
    if not found:
        return _announced(text, replies, ""), ""
    status = found[0][0] if len(found) == 1 else min((match[0] for match in found), key=vagueness)
    return _before(text, found) or _announced(text, replies, status[0]), status


def _is_status(text: str, start: int) -> bool:
    """After a letter, a digit or a dot it is a version or an IP address; success is only told at the beginning."""
    before = text[start - 1 : start] if start else ""
    if before in {"-", "_"}:
        return text[max(0, start - 4) : start - 1].isdecimal()
    return not (before.isalnum() or before == ".") and (text[start] != "2" or start < BEFORE)


def _before(text: str, found: Iterable[re.Match[str]]) -> str:
    """The reply code right in front of a status code."""
    for match in found:
        start = match.start()
        if before := BEFORE_STATUS.search(text[max(0, start - BEFORE) : start]):
            return before[1]
    return ""


def _announced(text: str, replies: Iterable[re.Match[str]], of_class: str) -> str:
    """The first reply code of this class, or of any, that is announced as one."""
    for match in replies:
        code, start = match[0], match.start()
        # Success is only told at the beginning.
        if code[0] != of_class if of_class else code[0] == "2" and start >= BEFORE:
            continue
        is_announced = not start or ANNOUNCED.search(text[max(0, start - BEFORE) : start])
        if is_announced and not COUNTED.match(text, match.end()):
            return code
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
