"""What may stand in BOUNCE_LISTEN and IMAP_URLS."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from messaging.incoming.listeners import Listener, listeners_of
from messaging.incoming.mailboxes import Mailbox, mailboxes_of


def test_listeners() -> None:
    said = ["lmtp://127.0.0.1:8025", " smtp://[::1] ", "lmtp:///run/engage/bounce.sock", ""]

    assert listeners_of(said) == [
        Listener("lmtp", "127.0.0.1", 8025), Listener("smtp", "::1", 25), Listener("lmtp", path="/run/engage/bounce.sock"),
    ]  # fmt: skip
    assert [str(each) for each in listeners_of(said)][1:] == ["smtp://[::1]:25", "lmtp:///run/engage/bounce.sock"]


@pytest.mark.parametrize(
    "url", ["127.0.0.1:25", "http://127.0.0.1", "smtp://", "smtp://a:b", "lmtp://h/x", "smtp://user@host"]
)
def test_a_wrong_listener_stops_the_start(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"must look like lmtp://127\.0\.0\.1:8024"):
        listeners_of([url])


def test_mailboxes() -> None:
    found = mailboxes_of(
        [
            "imaps://bounce%40shop.example:p%40ss@mail.shop.example",
            "imap://me:x@127.0.0.1:1143/Mail%2FBounces?tls=no&name=two&done=",
            "imap://me:x@other.example",
        ]
    )

    assert found == {
        "mail.shop.example": Mailbox("mail.shop.example", "mail.shop.example", 993, "bounce@shop.example", "p@ss"),
        "two": Mailbox("two", "127.0.0.1", 1143, "me", "x", "Mail/Bounces", "", is_encrypted=False),
        "other.example": Mailbox(
            "other.example", "other.example", 143, "me", "x", is_encrypted=False, is_starttls=True
        ),
    }
    assert "p@ss" not in repr(found)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("pop3://me:s3cret@host", "imaps:// or imap://"),
        ("imaps://host", "must look like imaps://user:password"),
        ("imaps://me:s3cret@host?folder=x", "no option 'folder'"),
        ("imaps://me:s3cret@host?done=INBOX", "another folder"),
        ("imaps://me:s3cret@host?ca=/nowhere.pem", "no file '/nowhere.pem'"),
        ("imaps://me:s3cret@host?name=A%20b", "name must be small letters"),
        ("imaps://me:s3cret@[host", "must look like"),
    ],
)
def test_a_wrong_mailbox_stops_the_start_and_keeps_the_secret(url: str, says: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"IMAP_URLS, number 1") as wrong:
        mailboxes_of([url])
    assert says in str(wrong.value)
    assert "s3cret" not in str(wrong.value)


def test_two_mailboxes_of_one_name_stop_the_start() -> None:
    with pytest.raises(ImproperlyConfigured, match="two of the name 'host'"):
        mailboxes_of(["imaps://one:x@host", "imaps://two:x@host"])
