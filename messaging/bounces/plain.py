"""A server's words in one plain form, in which rules look for them. Pure, and linear in the length.

Lower case, no accents, words apart by one blank, sentences apart by ";". "@" stands for an address, "#" for an IP
address, "%" for a host name, a URL, a number or an identifier, so that no rule finds its words inside of them; what is
no address is added at the end, as marks. Reply and status codes fall out. Every pattern of the rules begins and ends at
a blank.
"""

import html
import re
import unicodedata
from typing import Final

# A diagnostic longer than this says nothing more, but would cost time.
LONGEST: Final = 4_000
_BLANKS: Final = '<>()[]{}"*|,#=\t\r\n\v\f\\\u00a0\u3000«»„“”\u200b'
_ENDS: Final = "!?。"
_MARKS: Final = {ord(c): ord(" ") for c in _BLANKS} | {ord(c): ord(";") for c in _ENDS}
# The same for plain ASCII, with lower case, which is quicker.
_BYTES: Final = bytes(_MARKS.get(code, code) for code in bytes(range(256)).lower())
_GONE: Final = b"'`"
# What NFKD leaves as it is; the accents that it parts from their letters fall out.
_LETTERS: Final = str.maketrans({"ł": "l", "ø": "o", "ß": "ss", "æ": "ae", "đ": "d", "ı": "i"}) | dict.fromkeys(
    range(0x300, 0x370)
)
# With the letters of Europe as they are: what a table does not have is found to be missing at some cost.
_TABLE: Final = {code: code for code in range(0x530)} | _LETTERS | _MARKS | dict.fromkeys(map(ord, "'`´’‘\u00ad"))
_TAGS: Final = re.compile(
    r"</?(?:a|b|br|p|div|span|td|tr|th|table|tbody|font|html|body|head|i|u|h\d|strong|em|ul|li|ol|pre|tt|img|hr|center|"
    r"title|meta|small)\b[^>@]*>",
    re.IGNORECASE,
)
# "550", "5.1.1", "550-5.1.1", and what stands before the text of one line of several: "550-".
_CODES: Final = re.compile(r"[245][0-7]\d(?:[-_](?:[245]\.[0-7]\.\d{1,3}[-:]?)?)?|[245]\.[0-7]\.\d{1,3}[-:]?")
# Where a reply begins behind other words: "host mx.example.org: 550 unknown user" is not about the host.
_REPLY: Final = re.compile(r" [45][0-7]\d[ \-]")
_SUBJECTS: Final = {f"{c}.{subject}.{detail}" for c in "245" for subject in range(8) for detail in range(35)}
# What most odd words are, looked up rather than taken apart: codes, and the end of a sentence.
_KNOWN: Final = dict.fromkeys(_SUBJECTS | {str(reply) for reply in range(400, 580)}, "") | {";": ";", "-": ""}
# Of a pattern: what stands for itself, a class, a blank that may be missing, or one character.
_TOKENS: Final = re.compile(r"\\.|\[\^?[^\]]+\]| [?*+{]|.")
_LETTERS_ONLY: Final = re.compile(r"(?:[a-z |)]|\?(?!\?)|\((?:\?:)?)+")
# Chinese, Japanese and Korean.
_WITHOUT_BLANKS: Final = re.compile("[\u1100-\u11ff\u3040-\u30ff\u3400-\u9fff]")
# What mail systems put around any failure, whatever the cause, and what would mislead.
_FRAMES: Final = (
    "original message follows as a separate attachment",
    # GMX, before it says why.
    "nemesis esmtp service not available",
    "did not receive",
    # vpopmail, where the user's folder is missing, but the domain has somewhere else to put the mail.
    "user does not exist but will deliver to",
    "unknown address error",
    "other mail system problem",
    "other network problem",
    "message too old",
    "remote server returned an error",
    "rejected by the server for the recipient domain",
    "rejected by the recipient domain",
    "had permanent fatal errors",
    "did not receive this message",
    "did not receive your message",
    "take action on incorrect addresses",
    "had transient non-fatal errors",
    "delivery temporarily suspended",
    "to reduce the amount of spam sent to gmail",
    "protect our users from spam",
)
# What to do about it, which names what may help and not what is wrong.
_ADVICE: Final = re.compile(
    r"(?<=;) (?:please )?(?:what you can do|if you|make sure|be sure|ensure|check (?:that|if|whether|your)|"
    r"verify (?:that|your)|publish|set up|you can|you may|you should|to (?:fix|resolve|avoid|solve|prevent)|ask the|"
    r"we (?:recommend|advise|suggest)|consider|learn more|see (?:that|how))\b[^;]*(?=;)"
)
_ADVISED: Final = frozenset({"spf", "dkim", "dmarc", "ptr", "rdns"})
# Holds together what was one word, until frames are looked for; no word has it, since it parts words.
_GLUE: Final = "\x1f"
# A rare word of each: where none of them stands, no frame does.
_FRAME_WORDS: Final = frozenset({
    "separate", "nemesis", "receive", "deliver", "error", "problem", "old", "returned", "domain", "fatal", "incorrect",
    "transient", "suspended", "gmail", "protect",
})  # fmt: skip


def plain(text: str) -> str:
    """The words between blanks, and after the last ";" the marks. Of a long text only the beginning."""
    words, marks = parted(text)
    return f"{settled(words)}; {marks} " if marks else f"{settled(words)}; "


def parted(text: str) -> tuple[str, str]:
    """The words as they are before `settled`, which are the same for all that a server fills into one template; the
    marks, apart by blanks."""
    words = text[:LONGEST]
    if "&" in words:
        words = html.unescape(words)
    if "<" in words and ("</" in words or "<br" in words or "<BR" in words):
        words = _TAGS.sub(" ", words)
    if words.isascii():
        words = words.replace("]:", " ; ").encode().translate(_BYTES, _GONE).decode() + " "
    else:
        words = unicodedata.normalize("NFKD", words.lower()).translate(_TABLE) + " "
    # One character is found sooner than two.
    if "." in words:
        words = words.replace("...", " ; ")
    if ":" in words:
        words = words.replace(" said: ", " ; ")
    if "." in words:
        words = words.replace(". ", " ; ")
    if ";" in words:
        words = words.replace(";", " ; ")
    if ":" in words:
        words = words.replace(": ", " ")
    if not words[0].isdigit() and (reply := _REPLY.search(words)):
        words = f"{words[: reply.start()]} ;{words[reply.start() :]}"
    marks: list[str] = []
    found = [
        word if word.isalpha() else _KNOWN[word] if word in _KNOWN else _odd(word, marks) for word in words.split()
    ]
    return " ".join(filter(None, found)), " ".join(marks) if marks else ""


def settled(words: str) -> str:
    """The words between blanks, without frames."""
    found = words.split(" ")
    words = f" {words.replace(_GLUE, ' ')} "
    if not _FRAME_WORDS.isdisjoint(found):
        for frame in _FRAMES:
            words = words.replace(frame, " ")
    # A cause stands before the advice; what is nothing but advice is all that there is to read.
    return words if _ADVISED.isdisjoint(found) else f"{_ADVICE.sub(' ', f'{words};')[:-1].rstrip(';')}"


def _odd(word: str, marks: list[str]) -> str:
    """What stands for a word that is not of letters only; codes fall out."""
    if "@" in word:
        after = word.rpartition(":")[2]
        return f"@{_GLUE}{after}" if after.isalpha() else "@"
    if not word.isascii():
        return word
    if "." not in word or word[0] in "245":
        if "-" in word and word.replace("-", "").isalpha():
            return word
        if "/" in word and word.replace("/", "").isalpha():
            return word.replace("/", _GLUE)
        if word[0] in "245" and (codes := _CODES.match(word)) and ((rest := word[codes.end() :]).isalpha() or not rest):
            return rest
    marks.append(word)
    return "#" if word.count(".") == 3 and word[0].isdigit() else "%"


def _unaccented(words: str) -> str:
    return unicodedata.normalize("NFKD", words).translate(_LETTERS)


def plain_pattern(pattern: str) -> str:
    """A pattern of the rules with its letters in the plain form; what a language without blanks says has no bounds."""
    letters = pattern if pattern.isascii() else _unaccented(pattern)
    return letters if _WITHOUT_BLANKS.search(letters) else f" (?:{letters}) "


def may_match_marks(pattern: str) -> bool:
    """Whether a pattern of the rules may match among marks: not if it asks for a word of letters, which no mark is.

    Where that is not plain to see, True.
    """
    return not pattern.isascii() or not any(map(_is_of_letters, _parts(pattern)))


def _is_of_letters(part: str) -> bool:
    return bool(_LETTERS_ONLY.fullmatch(part)) and not any(re.fullmatch(part, empty) for empty in ("", " "))


def _parts(pattern: str) -> list[str]:
    """A pattern between the blanks that stand outside of brackets; none where it is several."""
    parts, depth = [""], 0
    for token in _TOKENS.findall(pattern):
        depth += (token == "(") - (token == ")")  # noqa: S105 -- a part of a pattern
        if depth == 0 and token == "|":  # noqa: S105
            return []
        if depth == 0 and token == " ":  # noqa: S105
            parts.append("")
        else:
            parts[-1] += token
    return parts
