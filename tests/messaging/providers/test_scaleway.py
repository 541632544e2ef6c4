"""Scaleway: like SNS, with certificates that Scaleway's authority for the topic's region has issued."""

import pytest
from pytest_django.fixtures import Settings

from messaging.providers import sns
from messaging.providers.base import UncheckedError
from messaging.providers.registry import providers
from tests.messaging.providers.asking import takes
from tests.messaging.providers.topics import Internet, at, certificate, invitation, notice, posted, signed

TOPIC = "arn:scw:sns:fr-par:project-11111111-2222-3333-4444-555555555555:engage"
CERTIFICATE = "https://messaging.s3.fr-par.scw.cloud/fr-par/sns/sns-signing.pem"
AUTHORITY = "https://messaging.s3.fr-par.scw.cloud/fr-par/sns/sns-trust-chain.pem"
SUBSCRIBE = "https://sns.mnq.fr-par.scaleway.com/?Action=ConfirmSubscription&Token=2336412f"


@pytest.fixture(autouse=True)
def internet(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Internet:
    settings.WEBHOOK_KEYS = {"scaleway": [TOPIC]}
    chain = certificate("root") + certificate("authority", by="root")
    found = Internet({CERTIFICATE: certificate("sns", by="authority"), AUTHORITY: chain, SUBSCRIBE: b"<xml/>"})
    monkeypatch.setattr(sns, "fetch", found.fetch)
    sns.certificate_at.cache_clear()
    return found


def test_what_scaleway_signed_is_taken(internet: Internet) -> None:
    for version in ("1", "2"):
        assert takes("scaleway", posted("scaleway", signed(notice(TOPIC, CERTIFICATE), "sns", version)))

    assert internet.asked == [CERTIFICATE, AUTHORITY]


@pytest.mark.parametrize("change", [{"Message": "{}"}, {"Timestamp": at(seconds=-2)}, {"Signature": ""}])
def test_what_was_changed_is_refused(change: dict[str, str]) -> None:
    assert not takes("scaleway", posted("scaleway", signed(notice(TOPIC, CERTIFICATE), "sns") | change))


@pytest.mark.parametrize("name", ["Signature", "SignatureVersion", "SigningCertURL", "Timestamp", "TopicArn"])
def test_what_lacks_a_field_is_refused(name: str) -> None:
    message = signed(notice(TOPIC, CERTIFICATE), "sns")
    del message[name]

    assert not takes("scaleway", posted("scaleway", message))


def test_another_key_another_topic_and_an_old_message_are_refused() -> None:
    for message in (
        signed(notice(TOPIC, CERTIFICATE), "mallory"),
        signed(notice(TOPIC.replace("engage", "other"), CERTIFICATE), "sns"),
        signed(notice(TOPIC, CERTIFICATE, Timestamp=at(hours=-25)), "sns"),
    ):
        assert not takes("scaleway", posted("scaleway", message))


@pytest.mark.parametrize(
    "found",
    [
        certificate("sns"),
        certificate("sns", by="mallory"),
        certificate("mallory", by="sns"),
        certificate("sns", by="authority", years=(-2, -1)),
    ],
)
def test_a_certificate_that_the_authority_did_not_issue_for_now_is_refused(found: bytes, internet: Internet) -> None:
    internet.files[CERTIFICATE] = found
    for whom in ("sns", "mallory"):
        assert not takes("scaleway", posted("scaleway", signed(notice(TOPIC, CERTIFICATE), whom)))


def test_somebody_who_calls_himself_the_authority_is_refused(internet: Internet) -> None:
    """A bucket of anybody's, on the same storage, with a chain of its own."""
    message = signed(notice(TOPIC, "https://mallory.s3.fr-par.scw.cloud/fr-par/sns/sns-signing.pem"), "mallory")

    assert not takes("scaleway", posted("scaleway", message))
    assert internet.asked == []


def test_the_authority_that_cannot_be_fetched_now_is_fetched_next_time(internet: Internet) -> None:
    request, kept = posted("scaleway", signed(notice(TOPIC, CERTIFICATE), "sns")), internet.files.pop(AUTHORITY)
    with pytest.raises(UncheckedError):
        providers()["scaleway"].verify(request)

    internet.files[AUTHORITY] = kept

    assert takes("scaleway", request)


def test_a_topic_in_the_settings_that_is_not_scaleways_is_refused(settings: Settings, internet: Internet) -> None:
    for topic in ("arn:aws:sns:fr-par:1:engage", "arn:scw:sns:", "arn:scw:sns:../..:1:engage", "engage"):
        settings.WEBHOOK_KEYS = {"scaleway": [topic]}
        assert not takes("scaleway", posted("scaleway", signed(notice(topic, CERTIFICATE), "sns")))

    assert internet.asked == []


def test_a_subscription_to_our_topic_is_confirmed_at_scaleways_only(internet: Internet) -> None:
    for url in (SUBSCRIBE, "https://sns.eu-north-1.amazonaws.com/", "https://sns.mnq.fr-par.scaleway.com.example.org/"):
        assert takes("scaleway", posted("scaleway", signed(invitation(TOPIC, CERTIFICATE, url), "sns")))

    assert internet.asked == [CERTIFICATE, AUTHORITY, SUBSCRIBE]


def test_without_a_topic_in_the_settings_everything_is_refused(settings: Settings) -> None:
    settings.WEBHOOK_KEYS = {}

    assert not takes("scaleway", posted("scaleway", signed(notice(TOPIC, CERTIFICATE), "sns")))
    assert not providers()["scaleway"].is_set_up()
