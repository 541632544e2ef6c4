"""What slows a send-out down, and what has stopped it, on its page: for everybody's eyes and ears."""

from datetime import timedelta

import pytest
from django.utils import timezone

from messaging.models import SendOut, SlowDown
from messaging.sendouts import lifecycle
from tests.browser.conftest import SIZES, Open, accessible
from tests.factories import make_contact
from tests.messaging.sendouts.people import make_send_out, run

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def started() -> SendOut:
    for number in range(3):
        make_contact(email=f"p{number}@gmail.com")
    made = make_send_out(sender="news@engage.example")
    run(made)
    later = timezone.now() + timedelta(hours=1)
    SlowDown.objects.create(send_out=made, provider="mx", domain="gmail.com", until=later, per_hour=600)
    SlowDown.objects.create(send_out=made, provider="mx", domain="outlook.com", until=later)
    return made


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_says_what_slows_a_send_out_down_and_what_has_stopped_it(
    open_as: Open, size: str, scheme: str
) -> None:
    send_out = started()
    page = open_as(size=size, color_scheme=scheme)
    page.goto(send_out.get_absolute_url())
    assert page.get_by_text("gmail.com takes 600 an hour.").is_visible()
    assert page.get_by_text("outlook.com asks us to wait.").is_visible()
    accessible(page)

    lifecycle.pause(send_out.pk, None, detail="Nothing can leave: SendGrid: HTTP 401: The key is invalid.")
    page.reload()
    assert page.get_by_text("Nothing was lost.").is_visible()
    accessible(page)
