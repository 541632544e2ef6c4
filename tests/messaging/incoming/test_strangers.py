"""Whatever somebody without a token mails or posts: blocks and consents stay as they were."""

import json
from datetime import timedelta
from itertools import count

import pytest
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contacts.models import Block, Channel, Contact
from messaging.inbox.reports import Kept
from messaging.incoming import mails
from messaging.incoming.addresses import return_path
from messaging.ledger.record import SourcedEvent
from messaging.models import DeliveryEvent, Message, Report
from messaging.providers.base import Raw
from messaging.providers.mail.reports import MOST_GUESSED, provider
from messaging.status.order import Event, Kind
from messaging.suppression.follow import apply
from messaging.tracking.tokens import Purpose, token_of
from tests.messaging.conftest import make_contact, make_message
from tests.messaging.incoming.letters import DOMAIN, letter
from tests.messaging.status.test_laws import rolled_back

pytestmark = pytest.mark.django_db(transaction=True)

NUMBERS = count(1)
LETTERS = ["postfix_user_unknown", "complaint", "vacation", "spam"]
# What was proven of each of the people before: nothing, or these in this order.
PASTS = [[], [Kind.DELIVERED], [Kind.HARD_BOUNCE], [Kind.COMPLAINED], [Kind.DEFERRED], [Kind.UNSUBSCRIBED]]
# What readers of a mail that was forwarded can see of it, in its source, too: all but the way out, which is theirs.
SEEN = sorted(set(Purpose) - {Purpose.BOUNCE, Purpose.LEAVE})
# As the words of a DSN may be turned: dead, put off, arrived.
TURNS = [
    ("Action: failed", "Action: failed"),
    ("Action: failed", "Action: delivered"),
    ("Action: failed", "Action: delayed"),
    ("5.1.1", "4.2.2"),
]

mail_of_a_stranger = st.tuples(
    st.integers(0, len(PASTS) - 1),  # about whom
    st.sampled_from(LETTERS),
    st.sampled_from(TURNS),
    st.one_of(st.none(), st.sampled_from(SEEN)),  # which of the victim's tokens the mail quotes
    st.sampled_from(["Message-ID", "In-Reply-To", "References", "X-Engage", "List-Unsubscribe"]),
    st.sampled_from(["bounce", "postmaster", "forged", "seen"]),  # to which of our addresses
    st.sampled_from(["", "mallory@evil.example"]),
)


def people() -> list[Message]:
    """The newest message to each, about which nothing is known; and one before, with a past."""
    found = list[Message]()
    for number, past in enumerate(PASTS):
        contact = make_contact(email=f"victim{number}@example.org")
        before = make_message(contact=contact, sent_at=timezone.now() - timedelta(days=2))
        at = timezone.now() - timedelta(days=1)
        apply([SourcedEvent(Event("mx", kind, at, f"past {next(NUMBERS)}", before.pk)) for kind in past])
        found.append(make_message(contact=contact, sent_at=timezone.now() - timedelta(hours=2)))
    return found


def standing() -> tuple[object, object, object]:
    """What must stay: all blocks, all consents, and what was proven."""
    blocks = Block.objects.order_by("address_id").values_list(
        "address_id", "cause", "started_at", "ended_at", "held_at", "life_at"
    )
    consents = Contact.objects.order_by("pk").values_list("pk", "accepts_email", "accepts_sms")
    proven = Message.objects.filter(decided_by__isnull=False).order_by("pk").values_list("pk", "status", "rank")
    return list(blocks), list(consents), list(proven)


# About whom, what, how its words are turned, what it quotes in which header, to which address, from whom.
Stranger = tuple[int, str, tuple[str, str], Purpose | None, str, str, str]


def arriving(messages: list[Message], said: Stranger) -> Kept:
    about, name, (old, new), purpose, header, to, sender = said
    message = messages[about]
    token = token_of(message.pk, purpose) if purpose else ""
    returned = f"{header}: <{token}@shop.example>" if purpose else ""
    mail = letter(name, recipient=message.address.value, returned=returned).replace(old.encode(), new.encode())
    addresses = {
        "bounce": f"bounce@{DOMAIN}",
        "postmaster": "postmaster",
        "forged": return_path(message.pk)[: -len(DOMAIN) - 5] + f"aaaa@{DOMAIN}",
        "seen": f"bounce+{token or '1-0123456789abcdef'}@{DOMAIN}",
    }
    mail += b"%d\r\n" % next(NUMBERS)  # else it would be the same mail once more
    return mails.kept(mail, "smtp", recipients=[addresses[to]], sender=sender, peer="192.0.2.66")


def applied(kept: list[Kept]) -> None:
    """Read and applied as the inbox does it, within the transaction of the example."""
    read = [Raw(each.body, each.content_type, each.path, timezone.now(), each.headers) for each in kept]
    apply([SourcedEvent(event) for raw in read for event in provider.parse(raw).events])


@given(st.lists(mail_of_a_stranger, min_size=1, max_size=8))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_mail_without_a_token_changes_a_block_or_a_consent(bounce_domain: str, said: list[Stranger]) -> None:
    assert bounce_domain
    with rolled_back():
        messages = people()
        before = standing()

        applied([arriving(messages, each) for each in said])

        blocks, consents, _proven = standing()
        assert (blocks, consents) == before[:2]


def test_a_thousand_guesses_together_beat_nothing() -> None:
    messages = people()
    before = standing()
    whole = letter("postfix_user_unknown", recipient="victim0@example.org").decode()
    start = whole.index("Final-Recipient")
    end = whole.index("--4F1A", start)
    named = [f"victim{number}@example.org" for number in range(MOST_GUESSED)]
    groups = "".join(whole[start:end].replace("victim0@example.org", each) for each in named)
    body = (whole[:start] + groups + whole[end:]).encode()

    applied([mails.kept(body + b"%d\r\n" % n, "smtp", recipients=[f"bounce@{DOMAIN}"]) for n in range(200)])

    assert DeliveryEvent.objects.filter(caveat="guessed").count() == 1000
    blocks, consents, _proven = standing()
    assert (blocks, consents) == before[:2]
    for message in messages[:MOST_GUESSED]:
        message.refresh_from_db()
        assert (message.status, message.is_guessed) == ("hard_bounce", True)


@pytest.mark.parametrize("kind", [Kind.DELIVERED, Kind.DEFERRED, Kind.SOFT_BOUNCE, Kind.OPENED])
def test_what_is_proven_takes_the_place_of_a_guess_whenever_it_was(kind: Kind) -> None:
    (message, *_others) = people()
    applied([arriving([message], (0, LETTERS[0], TURNS[0], None, "", "bounce", ""))])

    apply([SourcedEvent(Event("mx", kind, timezone.now() - timedelta(hours=1), "1", message.pk))])

    message.refresh_from_db()
    assert not message.is_guessed
    assert message.status in {"delivered", "deferred", "soft_bounce", "opened"}


def test_a_guess_that_it_is_on_hold_never_gives_up() -> None:
    (message, *_others) = people()

    applied([arriving([message], (0, LETTERS[0], TURNS[2], None, "", "bounce", ""))])

    message.refresh_from_db()
    assert (message.status, message.is_guessed, message.due_at) == ("deferred", True, None)


@pytest.mark.parametrize(
    "body", [b"{}", b"[]", json.dumps([{"event": "bounce", "email": "victim2@example.org"}]).encode()]
)
def test_no_post_without_a_key_is_kept(body: bytes) -> None:
    messages = people()
    before, kept = standing(), Report.objects.count()

    for slug in ("sendgrid", "twilio", "mailgun", "generic", "mail", "tracking", "postmark", "amazon_ses"):
        assert Client().post(f"/webhooks/{slug}/", body, "application/json").status_code >= 400
    for message in messages:
        for purpose in SEEN:
            token = token_of(message.pk, purpose)
            assert Client().post(f"/u/{token}/", {"wish": "unsubscribe"}).status_code == 404

    assert Report.objects.count() == kept
    assert standing() == before


def test_an_answer_by_sms_is_proof_about_the_number() -> None:
    message = make_message(Channel.SMS, sent_at=timezone.now() - timedelta(hours=1))
    number = message.address.value

    apply(
        [
            SourcedEvent(
                Event("twilio", Kind.UNSUBSCRIBED, timezone.now(), "stop 1", recipient=number, reason="unsubscribe")
            )
        ]
    )

    assert not Contact.objects.get().accepts_sms
