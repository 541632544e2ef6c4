"""Making and editing a draft. Once it is scheduled or started it cannot be edited: each save asks that first."""

from datetime import timedelta
from typing import Any, Final

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from messaging.sendouts.audience import Audience
from messaging.sendouts.lifecycle import WrongStateError
from messaging.sendouts.models import Content, SendOut, SendOutChange, State

# A second press within this, by the same person, is the same wish.
PRESSED_TWICE_WITHIN: Final = timedelta(minutes=1)
MOST_LOOKED_AT: Final = 20
SAID: Final = ("subject", "html", "mjml", "text")


def create(actor_id: int, **fields: Any) -> SendOut:
    """A new draft with these fields of SendOut."""
    with transaction.atomic():
        made = SendOut.objects.create(created_by_id=actor_id, **fields)
        SendOutChange.objects.create(send_out=made, kind=SendOutChange.Kind.CREATED, actor_id=actor_id)
    return made


def create_once(actor_id: int, **fields: Any) -> SendOut:
    """As `create`; pressed twice, it is the draft that was made just now, as long as nobody has touched it."""
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=actor_id)  # at the same time: one after the other
        just_now = timezone.now() - PRESSED_TWICE_WITHIN
        for latest in SendOut.objects.order_by("-pk")[:MOST_LOOKED_AT]:
            is_same = all(getattr(latest, name) == value for name, value in fields.items())
            is_mine_now = latest.created_by_id == actor_id and latest.created_at > just_now
            if is_same and is_mine_now and latest.state == State.DRAFT and latest.changes.count() == 1:
                return latest
        return create(actor_id, **fields)


def copy(of: SendOut, name: str, actor_id: int) -> SendOut:
    """A draft that says the same to the same audience; its control group is drawn anew."""
    kept = ("channel", "sender_name", "sender", "audience", "is_transactional", "tracks_opens", "tracks_clicks")
    fields = {field: getattr(of, field) for field in kept}
    with transaction.atomic():
        made = create(actor_id, name=name, control_percentage=of.control_percentage, **fields)
        if of.content:
            save_content(made, actor_id, **{field: getattr(of.content, field) for field in SAID})
    return made


def save(send_out: SendOut, actor_id: int, part: str, **fields: Any) -> None:
    """Set these fields of the draft. Raises WrongStateError where it is a draft no more.

    `part` names what was edited in its history, such as "audience".
    """
    with transaction.atomic():
        changed = {name: value for name, value in fields.items() if getattr(send_out, name) != value}
        if not SendOut.objects.filter(pk=send_out.pk, state=State.DRAFT).update(**fields):
            raise WrongStateError(State(SendOut.objects.values_list("state", flat=True).get(pk=send_out.pk)))
        for name, value in fields.items():
            setattr(send_out, name, value)
        if changed:
            SendOutChange.objects.create(
                send_out=send_out, kind=SendOutChange.Kind.EDITED, detail=part, actor_id=actor_id
            )


def save_audience(send_out: SendOut, audience: Audience, actor_id: int) -> None:
    save(send_out, actor_id, "audience", audience=audience.as_json())


def save_content(send_out: SendOut, actor_id: int, **said: str) -> Content:
    """The next version of what the draft says; the version in force where nothing changed. Fields: see SAID."""
    with transaction.atomic():
        SendOut.objects.select_for_update(no_key=True).get(pk=send_out.pk)  # two editors at once: one version each
        latest = send_out.contents.aggregate(Max("version"))["version__max"] or 0
        current = send_out.contents.filter(version=latest).first()
        if current and all(getattr(current, field) == said.get(field, "") for field in SAID):
            return current
        made = Content.objects.create(send_out=send_out, version=latest + 1, created_by_id=actor_id, **said)
        save(send_out, actor_id, "content", content_id=made.pk, subject=said.get("subject", ""))
    return made
