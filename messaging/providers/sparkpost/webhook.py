"""SparkPost's (Bird's) event webhooks, normalised by django-anymail.

Fields: SparkPost's developer documentation, "Webhooks", "Events" and "Relay Webhooks"; bounce classes:
"Bounce Classification Codes". It signs nothing: user and password as the webhook's basic auth.
"""

from functools import cache, partial
from typing import Any, Final

from anymail.signals import AnymailTrackingEvent
from anymail.webhooks.sparkpost import SparkPostTrackingWebhookView
from django.http import HttpRequest

from contacts.models import Channel
from messaging.providers import anymail_bridge as bridge
from messaging.providers import event_words, inbound, proof
from messaging.providers.anymail_bridge import ParsedItem
from messaging.providers.base import ParsedReport, Provider, Raw
from messaging.providers.event_words import EventMeaning, Says, TranslatedEvent
from messaging.providers.inbound import Mail

SLUG: Final = "sparkpost"

# "Due to policy, SparkPost rejected a message or failed to generate a message": nothing was sent.
UNTRIED: Final = {
    "policy_rejection": EventMeaning(Says.UNTRIED, "suppressed"),
    "generation_rejection": EventMeaning(Says.UNTRIED, "suppressed"),
    "generation_failure": EventMeaning(Says.UNTRIED, "content_rejected"),
}
# "Events": about SMS, mail to us, tests and files, none of them about a message of ours.
NO_MESSAGE_EVENTS: Final = frozenset(
    {
        "sms_status", "relay_injection", "relay_rejection", "relay_delivery", "relay_tempfail", "relay_permfail",
        "ab_test_completed", "ab_test_cancelled", "success", "error",
    }
)  # fmt: skip
# out_of_band: the server accepted the message, and said later that it did not deliver it.
BOUNCES: Final = frozenset({"bounce", "out_of_band"})


def verify(request: HttpRequest) -> None:
    """Raises ForgedError without the user and password of SPARKPOST_WEBHOOK_KEYS."""
    proof.check_password(request, SLUG)


@cache
def _view() -> Any:
    # The pixel at the top of a message is an open like that at its end.
    return bridge.view_of(SparkPostTrackingWebhookView, track_initial_open_as_opened=True)


def parse(raw: Raw) -> ParsedReport:
    """The events of one batch; none where it is the empty one that tries the webhook. Raises UnreadableError."""
    items = bridge.list_in(raw)
    parsed = ParsedReport()
    for number, item in enumerate(items, 1):
        if mail := _relayed(item):
            parsed.add(inbound.parse_mails([mail], _mail, raw, number))
        else:
            parsed.add(bridge.parse_each([item], lambda item: _parse_item(item, raw), number))
    return parsed


def _relayed(item: Any) -> Any:
    """The mail in an item, if that is one that SparkPost takes for us."""
    wrapped = item.get("msys") if isinstance(item, dict) else None
    return wrapped.get("relay_message") if isinstance(wrapped, dict) else None


def _mail(item: dict[str, Any]) -> Mail:
    content = item["content"]
    is_base64 = content.get("email_rfc822_is_base64") is True
    return Mail(inbound.whole(content["email_rfc822"], is_base64=is_base64), (item.get("rcpt_to"),))


def _parse_item(item: dict[str, Any], raw: Raw) -> ParsedItem | None:
    event_class, event, whole = _view().unwrap_event(item)
    if event is None or event.get("type") in NO_MESSAGE_EVENTS:
        return None
    timed = bridge.in_seconds(event, "timestamp")
    found: AnymailTrackingEvent = _view().esp_to_anymail_event(event_class, timed, whole)
    client = event.get("user_agent_parsed") or {}
    return bridge.parsed_item(
        SLUG,
        found,
        _meaning(found, event),
        raw,
        # Apple Mail loads the images of all mail beforehand.
        is_automatic=client.get("is_prefetched") is True,
    )


def _meaning(found: AnymailTrackingEvent, event: dict[str, Any]) -> TranslatedEvent | None:
    word, bounce_class = event["type"], str(event.get("bounce_class") or "")
    row = EventMeaning(Says.DEFERRED) if word == "delay" else UNTRIED.get(word)
    if word in BOUNCES:
        # Not in the table: the classes that anymail takes for a person's wish, such as to be unsubscribed.
        row = event_words.row_of(__file__, "bounces", bounce_class, EventMeaning(Says.FAILED))
        row = None if row.unmapped and found.event_type != "bounced" else row
    if row is None:
        return event_words.plain(found, word)
    reply_code = "" if row.says is Says.UNTRIED else event.get("error_code")
    words = event.get("raw_reason") or event.get("reason")
    return event_words.failure(row, words, reply_code=reply_code, provider_code=bounce_class)


provider = Provider(
    SLUG,
    "SparkPost",
    Channel.EMAIL,
    partial(proof.has_passwords, SLUG),
    verify,
    parse,
    key=proof.password_in,
    answer=200,
    sign=partial(proof.sign_with_password, SLUG),
)
