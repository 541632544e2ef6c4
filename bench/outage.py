"""An incident replayed: a big provider calls a part of its living addresses dead, while others die as they always do.

Of every address of the biggest domain a tenth bounces hard within two hours, as far as it took mail a week ago. Of the
other domains those bounce that have never taken any, and two in a thousand of the living, which is ordinary.
"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final

from django.db import connection, transaction

from bench import data
from bench.events import BATCH
from bench.figures import Figure, say
from contacts.models import Block, Outage
from messaging.ledger.record import SourcedEvent
from messaging.status.order import Event, Kind
from messaging.suppression.follow import apply

CONTACTS: Final = 60_000
DOMAIN: Final = "example.com"
NOW: Final = datetime.now(UTC)
FILL: Final = """
INSERT INTO messaging_message (channel, contact_id, address_id, subject, provider, sent_at, status, status_at)
SELECT 'email', id, email_address_id, 'Last week', 'sendgrid', now() - interval '7 days', 'delivered',
  now() - interval '7 days'
FROM contacts_contact WHERE id %% 30 > 0 ORDER BY id;
INSERT INTO messaging_message (channel, contact_id, address_id, subject, provider, sent_at, status)
SELECT 'email', id, email_address_id, 'This week', 'sendgrid', now() - interval '3 hours', 'unknown'
FROM contacts_contact ORDER BY id;
ANALYZE messaging_message
"""
SENT: Final = """
SELECT m.id, m.contact_id %% 30 = 0, split_part(a.value, '@', -1)
FROM messaging_message m JOIN contacts_address a ON a.id = m.address_id WHERE m.status = 'unknown' ORDER BY m.id
"""


def measure(_messages: int) -> Iterator[Figure]:
    data.loaded(0, CONTACTS)()
    random = Random(42)
    with connection.cursor() as cursor:
        cursor.execute(FILL.replace("%%", "%"))
        cursor.execute(SENT.replace("%%", "%"))
        said = [_event(random, *row) for row in cursor.fetchall()]
    random.shuffle(said)
    started = time.perf_counter()
    for start in range(0, len(said), BATCH):
        with transaction.atomic():
            apply([SourcedEvent(event) for event in said[start : start + BATCH]])
    spent = time.perf_counter() - started
    fooled, others = Block.objects.filter(domain=DOMAIN), Block.objects.exclude(domain=DOMAIN)
    detail: dict[str, object] = {
        "sent": len(said), "hard_bounces_of_the_incident": fooled.count(), "other_hard_bounces": others.count(),
        "outages_found": Outage.objects.count(), "events_per_second": round(len(said) / spent),
    }  # fmt: skip
    say(f"{Outage.objects.count()} outage found, {fooled.filter(held_at=None).count()} wrong blocks slipped through")
    yield Figure("outage_held_share", fooled.exclude(held_at=None).count() / fooled.count(), "share", detail)
    yield Figure("outage_others_blocked", others.filter(held_at=None).count() / others.count(), "share", detail)


def _event(random: Random, message_id: int, is_dead: bool, domain: str) -> Event:
    bounces = is_dead or random.random() < (0.1 if domain == DOMAIN else 0.002)
    return Event(
        "sendgrid", Kind.HARD_BOUNCE if bounces else Kind.DELIVERED, NOW - timedelta(minutes=random.uniform(0, 120)),
        str(message_id), message_id, reason="user_unknown" if bounces else "", reply_code="550" if bounces else "250",
    )  # fmt: skip
