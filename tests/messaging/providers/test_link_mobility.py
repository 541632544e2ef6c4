"""LINK Mobility's address may carry a key instead of user and password. It is not kept with the report."""

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from contacts.models import Channel
from messaging.inbox import reports
from messaging.models import Report
from messaging.tracking.tokens import token_of
from tests.messaging.conftest import make_message
from tests.messaging.providers.asking import post, takes


@pytest.fixture(autouse=True)
def keys(settings: Settings) -> None:
    settings.WEBHOOK_KEYS = {"link_mobility": ["s3cret", "n3w"]}


@pytest.mark.parametrize(
    ("query", "is_good"),
    [("?key=s3cret", True), ("?key=n3w", True), ("?key=other", False), ("?key=", False), ("?KEY=s3cret", False)],
)
def test_the_key_in_the_address_must_be_ours(query: str, is_good: bool) -> None:
    assert takes("link_mobility", post("link_mobility", b"{}", {}, query=query)) == is_good


@pytest.mark.django_db
def test_a_report_by_get_is_answered_with_200_kept_without_the_key_and_applied() -> None:
    message = make_message(Channel.SMS)
    said = f"id=D1&refId={token_of(message.pk)}&resultCode=1001&timestamp=2026-11-02T11%3A40%3A00Z"

    answer = Client().get(f"/webhooks/link_mobility/?key=s3cret&{said}")

    report = Report.objects.get()
    assert answer.status_code == 200
    assert (bytes(report.body).decode(), report.path) == (said, f"/webhooks/link_mobility/?{said}")
    reports.apply_pending()
    message.refresh_from_db()
    assert message.status == "delivered"


@pytest.mark.django_db
def test_a_method_that_the_provider_does_not_use_is_turned_away() -> None:
    assert Client().put("/webhooks/link_mobility/?key=s3cret").status_code == 405
    assert Client().get("/webhooks/sinch/").headers["Allow"] == "POST"
    assert not Report.objects.exists()
