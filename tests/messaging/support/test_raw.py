"""A raw report made readable."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.smpp.pdus import CONTENT_TYPE
from messaging.support.pretty_print import FORM, LONGEST_READ, LONGEST_SHOWN, readable
from tests.messaging.smpp.pdus import RECEIPTED_MESSAGE_ID, data_sm


@pytest.mark.parametrize(
    ("body", "content_type", "shown"),
    [
        (b'[{"a":1,"b":"\xc3\xa5"}]', "application/json", '[\n  {\n    "a": 1,\n    "b": "å"\n  }\n]'),
        (b'{"a":1', "application/json", '{"a":1'),
        (b"MessageStatus=sent&To=%2B46+70", f"{FORM}; charset=utf-8", "MessageStatus: sent\nTo: +46 70"),
        (b"no form", FORM, "no form"),
        (b"\xff\xfe", "", "\ufffd\ufffd"),
        (b'"\\ud800"', "application/json", '"⟨U+D800⟩"'),
        (b"[" * 100_000, "application/json", "[" * LONGEST_SHOWN),
        ("a\u202eb\u200bc\0".encode(), "text/plain", "a⟨RIGHT-TO-LEFT OVERRIDE⟩b⟨ZERO WIDTH SPACE⟩c⟨U+0000⟩"),
        (b"", "", ""),
        (
            data_sm({RECEIPTED_MESSAGE_ID: b"4711\0", 0x1401: b"\xff"}),
            CONTENT_TYPE,
            (
                "command: data_sm\nsource_addr: 46701234567\ndestination_addr: Engage\nesm_class: 0x04\ndata_coding: 0\n"
                "short_message: \nreceipted_message_id: 34 37 31 31 00\n0x1401: ff"
            ),
        ),
        (b"no PDU", CONTENT_TYPE, "no PDU"),
    ],
)
def test_it_shows_what_is_there(body: bytes, content_type: str, shown: str) -> None:
    assert readable(body, content_type).text == shown


@given(st.binary(max_size=300), st.sampled_from(["application/json", FORM, "", "text/plain", CONTENT_TYPE]))
def test_nothing_that_arrives_breaks_the_page(body: bytes, content_type: str) -> None:
    shown = readable(body, content_type)

    assert shown.is_whole
    shown.text.encode()


@pytest.mark.parametrize("size", [LONGEST_SHOWN + 1, LONGEST_READ + 1])
def test_what_is_long_is_cut_and_says_so(size: int) -> None:
    shown = readable(b"x" * size, "text/plain")

    assert (len(shown.text), shown.is_whole) == (LONGEST_SHOWN, False)
