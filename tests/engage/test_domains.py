"""Domains beyond ASCII: one function says what the DNS calls them, by the rules by which addresses are read."""

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from contacts.addresses import normalise_email
from engage.domains import ascii_domain, in_ascii, in_unicode


@pytest.mark.parametrize(
    ("address", "sent"),
    [
        ("info@straße.example", "info@xn--strae-oqa.example"),
        ("x@βόλος.example", "x@xn--nxasmm1c.example"),
        ("x@bücher.example", "x@xn--bcher-kva.example"),
        ("x@BÜCHER。example", "x@xn--bcher-kva.example"),
        ("jörg@bücher.example", "jörg@xn--bcher-kva.example"),
        ("Anna@Example.org", "Anna@Example.org"),
        ("x@xn--strae-oqa.example", "x@xn--strae-oqa.example"),
    ],
)
def test_a_domain_is_sent_to_as_idna_2008_writes_it(address: str, sent: str) -> None:
    assert in_ascii(address) == sent


@pytest.mark.parametrize("domain", ["i❤.ws", "-ü.example", "ü..example", f"{'ü' * 64}.example"])
def test_a_domain_that_idna_2008_refuses_is_told(domain: str) -> None:
    with pytest.raises(UnicodeError):
        ascii_domain(domain)


def test_an_emoji_domain_that_was_stored_before_is_sent_to_as_it_is_registered() -> None:
    assert in_ascii("x@i❤.ws") == "x@xn--i-7iq.ws"
    assert in_ascii(f"x@{'ü' * 64}.example") == f"x@{'ü' * 64}.example"


@given(st.text(st.characters(categories=["Ll", "Lo", "Nd", "Mn"]), min_size=1, max_size=20))
def test_what_is_sent_to_is_read_back_as_the_same_address(label: str) -> None:
    try:
        stored = normalise_email(f"x@{label}.example")
        domain = ascii_domain(stored.partition("@")[2])
    except (ValidationError, UnicodeError):
        return
    assert domain.isascii()
    assert normalise_email(f"x@{domain}") == stored
    assert normalise_email(f"x@{in_unicode(domain)}") == stored
