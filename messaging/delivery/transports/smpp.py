"""SMS by SMPP, over a session that `manage.py smpp` holds."""

import logging
from collections.abc import Iterator, Sequence
from time import monotonic
from typing import Final

from django.utils import timezone
from django.utils.translation import gettext as _
from smpplib import consts

from contacts.models import Channel
from messaging.bounces.reasons import OUTCOME_UNKNOWN
from messaging.delivery.answers import SMS_SCHEDULE
from messaging.delivery.transport import DeliveryOutcome, Ready
from messaging.providers.smpp.reports import SLUG
from messaging.providers.tables import UNKNOWN, tables
from messaging.providers.tables import CodeMeaning as Verdict
from messaging.smpp.connections import ON, Connection
from messaging.smpp.submits import count_of, submits_of
from messaging.smpp.window import OK, THROTTLED, SubmitAnswer, Window
from messaging.status.order import Caveat, Event, Kind

log = logging.getLogger(__name__)

# A slice takes about so long, so that Pause takes effect.
SLICE_SECONDS: Final = 1.0
FEWEST, MOST = 10, 1000
NAMES: Final = {
    value: name.removeprefix("SMPP_ESME_") for name, value in vars(consts).items() if name.startswith("SMPP_ESME_R")
}
# The line broke, or the SMSC did not want more, before anything of the message had left.
NOT_LEFT: Final = Verdict(Kind.DEFERRED, "server_error")
TOO_MANY: Final = Verdict(Kind.DEFERRED, "rate_limited")


class BySmpp:
    """A Transport (transport.py)."""

    slug: Final = SLUG
    channel: Final = Channel.SMS
    schedule: Final = SMS_SCHEDULE

    def __init__(self, connection: Connection, window: Window) -> None:
        self._connection, self._window = connection, window
        agreed = max(1, int(connection.rate * SLICE_SECONDS))
        self._fewest, self._most = (min(FEWEST, agreed), min(MOST, agreed)) if connection.rate else (FEWEST, MOST)
        self.slice = max(self._fewest, min(self._most, connection.window))

    def __enter__(self) -> "BySmpp":
        return self

    def __exit__(self, *_: object) -> None:
        """The session is somebody else's."""

    def parts_of(self, message: Ready) -> int:
        return count_of(message.sms, self._connection.long)

    def send_all(self, messages: Sequence[Ready]) -> Iterator[DeliveryOutcome]:
        began, nameless = monotonic(), 0
        for place, answers in self._window.submit_all([self._submits(each) for each in messages]):
            nameless += sum(map(_is_nameless, answers))
            yield self._outcome(messages[place], answers)
        if nameless:
            log.warning(
                "%s took %d submit_sm without a message_id: their receipts are matched by number and time, if at all.",
                self._connection.name, nameless,
            )  # fmt: skip
        self._adapt(len(messages), monotonic() - began)

    def _adapt(self, sent: int, seconds: float) -> None:
        """The next slice takes as long as a slice should; while the SMSC wants a pause, few are tried at a time."""
        possible = int(sent / max(seconds, 0.001) * SLICE_SECONDS)
        found = self._fewest if self._window.is_throttled else min(possible, self.slice * 2)
        self.slice = max(self._fewest, min(self._most, found))

    def _submits(self, message: Ready) -> list[bytes]:
        return submits_of(
            message.sms, sender=message.send_out.sender, number=message.address, valid=message.time_left,
            reference=message.id, long=self._connection.long, is_referenced=self._connection.reference == ON,
        )  # fmt: skip

    def _outcome(self, message: Ready, answers: Sequence[SubmitAnswer]) -> DeliveryOutcome:
        ids = tuple(self._connection.submitted_id(each.id) for each in answers if each.status == OK and each.id)
        worst = next((each for each in answers if each.has_left and each.status not in (OK, None)), None)
        is_begun = any(each.has_left and each.status in (OK, None) for each in answers)
        if worst is not None:
            return DeliveryOutcome(self._event(message, verdict_of(worst, is_begun=is_begun), worst.status), ids)
        held_back = next((each for each in answers if not each.has_left), None)
        if held_back is not None:
            return DeliveryOutcome(
                self._event(message, verdict_of(held_back, is_begun=is_begun), held_back.status), ids
            )
        if any(each.status is None for each in answers):
            return DeliveryOutcome(
                self._outcome_unknown(message, _("The line broke, or no answer came, after it was sent.")), ids
            )
        if any(map(_is_nameless, answers)):
            return DeliveryOutcome(
                self._outcome_unknown(message, _("The SMSC took it, but gave no id by which it will report.")), ids
            )
        return DeliveryOutcome(self._event(message, Verdict(Kind.ACCEPTED), OK), ids)

    def _event(self, message: Ready, verdict: Verdict, status: int | None) -> Event:
        is_fine = verdict.kind == Kind.ACCEPTED
        return Event(
            SLUG, verdict.kind, timezone.now(), message.idempotency_key, message.id,
            reason=verdict.reason, provider_code="" if is_fine else code_of(status),
            diagnostic="" if is_fine else words_of(status), said_by=self._connection.name,
        )  # fmt: skip

    def _outcome_unknown(self, message: Ready, why: str) -> Event:
        return Event(
            SLUG, Kind.ACCEPTED, timezone.now(), message.idempotency_key, message.id, reason=OUTCOME_UNKNOWN,
            diagnostic=why, said_by=self._connection.name, caveat=Caveat.OUTCOME_UNKNOWN,
        )  # fmt: skip


def _is_nameless(answer: SubmitAnswer) -> bool:
    """SMPP 3.4, 4.4.2: message_id may be empty only where the SMSC refuses; its receipt then finds nothing by an id."""
    return answer.status == OK and not answer.id


def verdict_of(answer: SubmitAnswer, *, is_begun: bool) -> Verdict:
    """What a refusal comes to. A message of which a part has left is never begun anew: that one would come twice."""
    if answer.status is None or answer.status in THROTTLED:
        found = NOT_LEFT if answer.status is None else TOO_MANY
    else:
        found = tables(SLUG)["submit"].get(NAMES.get(answer.status, ""), UNKNOWN)
    return Verdict(Kind.FAILED, found.reason) if is_begun and found.kind == Kind.DEFERRED else found


def code_of(status: int | None) -> str:
    """As SMPP calls it: RINVDSTADR; a code of the SMSC's own as a number."""
    return "" if status is None else NAMES.get(status, f"{status:#06x}")


def words_of(status: int | None) -> str:
    if status is None:
        return _("The line to the SMSC broke before it was sent.")
    return str(consts.DESCRIPTIONS.get(status, f"command_status {status:#06x}"))
