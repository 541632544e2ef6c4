"""Bounces that only name their message: what speaks for them is asked of the DNS, apart from the way of reports."""

from uuid import UUID

from django.db import transaction

from messaging.models import Message
from messaging.suppression import follow
from messaging.suppression.speakers import NamedBounce, speaks_for


def judge(claim: NamedBounce) -> bool:
    """Ask the DNS, and let the bounce count in full where its sender may speak for the address. Returns whether."""
    found = Message.objects.filter(pk=claim.message_id).values_list("address__value", flat=True).first()
    if found is None or not speaks_for(claim.peer, found.rpartition("@")[2]):
        return False
    with transaction.atomic():
        follow.believe(claim.message_id, UUID(hex=claim.key))
    return True
