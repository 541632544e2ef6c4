"""A raw report made readable: decoded whatever it holds, JSON indented, a line for each field of a form or of a PDU."""

import json
import re
import unicodedata
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from messaging.smpp.pdus import CONTENT_TYPE, lines_of

# A longer body is shown as it came, without reading it: this is a page for a person.
LONGEST_READ: Final = 1_000_000
LONGEST_SHOWN: Final = 20_000
FORM: Final = "application/x-www-form-urlencoded"
# What cannot be seen, or turns the direction of writing, could make the page show other than what is there.
STEERING: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Readable:
    """What is shown of a body; `is_whole` is off where the rest must be downloaded."""

    text: str
    is_whole: bool


def readable(body: bytes, content_type: str) -> Readable:
    """Never fails: what cannot be decoded shows as U+FFFD, what cannot be read as the text it is."""
    if len(body) > LONGEST_READ:
        return Readable(_visible(body[:LONGEST_SHOWN].decode("utf-8", "replace")), is_whole=False)
    if content_type == CONTENT_TYPE and (lines := lines_of(body)):
        return Readable(_visible(lines[:LONGEST_SHOWN]), is_whole=len(lines) <= LONGEST_SHOWN)
    text = body.decode("utf-8", "replace")
    told = _form(text) if content_type.partition(";")[0].strip().lower() == FORM else _json(text)
    shown = told if told is not None else text
    return Readable(_visible(shown[:LONGEST_SHOWN]), is_whole=len(shown) <= LONGEST_SHOWN)


def _json(text: str) -> str | None:
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return None


def _form(text: str) -> str | None:
    try:
        fields = parse_qsl(text, keep_blank_values=True, strict_parsing=True, errors="replace", max_num_fields=2000)
    except ValueError:
        return None
    return "\n".join(f"{name}: {value}" for name, value in fields)


def _visible(text: str) -> str:
    return STEERING.sub(_name, text.replace("\r\n", "\n"))


def _name(found: re.Match[str]) -> str:
    sign = found.group()
    return f"⟨{unicodedata.name(sign, f'U+{ord(sign):04X}')}⟩"
