"""Amazon SES: messages that SNS signed, with a certificate of Amazon's, for a topic of ours."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from pytest_django.fixtures import Settings

from messaging.providers import sns
from messaging.providers.base import ForgedError, UncheckedError
from messaging.providers.registry import providers
from tests.messaging.providers.asking import post, takes
from tests.messaging.providers.topics import Internet, at, certificate, invitation, notice, posted, signed

TOPIC, NEW_TOPIC = "arn:aws:sns:eu-north-1:123456789012:engage", "arn:aws:sns:eu-west-1:123456789012:engage"
FOREIGN_TOPIC = "arn:aws:sns:eu-north-1:666666666666:engage"
CERTIFICATE = "https://sns.eu-north-1.amazonaws.com/SimpleNotificationService-01.pem"
CHINESE = "https://sns.cn-north-1.amazonaws.com.cn/SimpleNotificationService-01.pem"
SUBSCRIBE = "https://sns.eu-north-1.amazonaws.com/?Action=ConfirmSubscription&Token=2336412f"
# Under our own control, but none of Amazon's.
TRICKS = [
    "http://sns.eu-north-1.amazonaws.com/a.pem",
    "https://sns.eu-north-1.amazonaws.com.example.org/a.pem",
    "https://sns.eu-north-1.amazonaws.com.cn.example.org/a.pem",
    "https://example.org/sns.eu-north-1.amazonaws.com/a.pem",
    "https://example.org#sns.eu-north-1.amazonaws.com/a.pem",
    "https://example.org\\@sns.eu-north-1.amazonaws.com/a.pem",
    "https://sns.eu-north-1.amazonaws.com@example.org/a.pem",
    "https://user@sns.eu-north-1.amazonaws.com/a.pem",
    "https://sns.eu-north-1.amazonaws.com:8443/a.pem",
    "https://sns.eu-north-1.amazonaws.com\n.example.org/a.pem",
    "https://xsns.eu-north-1.amazonaws.com/a.pem",
    "https://sns.amazonaws.com/a.pem",
    "https://sns.a.b.amazonaws.com/a.pem",
    "https://s3.amazonaws.com/a.pem",
    "https://[sns.eu-north-1.amazonaws.com/a.pem",
    "//sns.eu-north-1.amazonaws.com/a.pem",
    "file:///etc/ssl/a.pem",
    "",
]


@pytest.fixture(autouse=True)
def internet(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Internet:
    """Amazon's certificate, and next to it everywhere one of somebody else's."""
    settings.WEBHOOK_KEYS = {"amazon_ses": [TOPIC, NEW_TOPIC]}
    found = Internet({CERTIFICATE: certificate("amazon"), CHINESE: certificate("amazon"), SUBSCRIBE: b"<xml/>"})
    found.files |= dict.fromkeys(TRICKS, certificate("mallory"))
    monkeypatch.setattr(sns, "fetch", found.fetch)
    sns.certificate_at.cache_clear()
    return found


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize(
    "message",
    [
        notice(TOPIC, CERTIFICATE),
        notice(TOPIC, CERTIFICATE, Subject="Amazon SES Email Event Notification"),
        notice(TOPIC, CHINESE),
        notice(NEW_TOPIC, CERTIFICATE),
        notice(TOPIC, CERTIFICATE, Timestamp=at(hours=-2)),
        invitation(TOPIC, CERTIFICATE, SUBSCRIBE),
        invitation(TOPIC, CERTIFICATE, SUBSCRIBE, Type="UnsubscribeConfirmation"),
    ],
)
def test_what_amazon_signed_for_our_topics_is_taken(message: dict[str, str], version: str) -> None:
    assert takes("amazon_ses", posted("amazon_ses", signed(message, "amazon", version)))


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize(
    "change",
    [
        {"Message": "{}"},
        {"MessageId": "another"},
        {"Subject": "added"},
        {"Timestamp": at(seconds=-2)},
        {"TopicArn": NEW_TOPIC},
        {"Type": "SubscriptionConfirmation", "Token": "t", "SubscribeURL": SUBSCRIBE},
        {"SignatureVersion": "3"},
        {"SignatureVersion": ""},
        {"Signature": ""},
        {"Signature": "no base64"},
    ],
)
def test_what_was_changed_is_refused(change: dict[str, str], version: str) -> None:
    message = signed(notice(TOPIC, CERTIFICATE), "amazon", version)

    assert not takes("amazon_ses", posted("amazon_ses", message | change))


def test_the_other_version_of_a_signature_is_refused() -> None:
    for version, other in (("1", "2"), ("2", "1")):
        message = signed(notice(TOPIC, CERTIFICATE), "amazon", version) | {"SignatureVersion": other}
        assert not takes("amazon_ses", posted("amazon_ses", message))


@pytest.mark.parametrize("name", [*signed(notice(TOPIC, CERTIFICATE), "amazon"), "Subject"])
def test_what_lacks_a_field_or_holds_something_odd_there_is_refused(name: str) -> None:
    message = signed(notice(TOPIC, CERTIFICATE, Subject="About"), "amazon")
    odd: list[dict[str, object]] = [message | {name: value} for value in (None, 7, ["x"], {"x": "y"}, True)]
    lacking = {each: value for each, value in message.items() if each != name}
    is_free = name == "UnsubscribeURL"

    assert [takes("amazon_ses", posted("amazon_ses", each)) for each in [lacking, *odd]] == [is_free] * 6


def test_another_key_is_refused() -> None:
    assert not takes("amazon_ses", posted("amazon_ses", signed(notice(TOPIC, CERTIFICATE), "mallory")))


def test_a_topic_that_is_not_ours_is_refused_though_amazon_signs_it(internet: Internet) -> None:
    for message in (notice(FOREIGN_TOPIC, CERTIFICATE), invitation(FOREIGN_TOPIC, CERTIFICATE, SUBSCRIBE)):
        assert not takes("amazon_ses", posted("amazon_ses", signed(message, "amazon")))
    assert internet.asked == []


STALE = {"a day old": at(hours=-25), "from tomorrow": at(hours=25), "ten years old": at(days=-3650), "no time": "then"}


@pytest.mark.parametrize("when", [*STALE.values(), ""], ids=[*STALE, "empty"])
def test_what_is_old_is_refused(when: str) -> None:
    message = signed(notice(TOPIC, CERTIFICATE, Timestamp=when), "amazon")

    assert not takes("amazon_ses", posted("amazon_ses", message))


def test_without_a_topic_in_the_settings_everything_is_refused(settings: Settings) -> None:
    for topics in ([], [""]):
        settings.WEBHOOK_KEYS = {"amazon_ses": topics}
        for topic in (TOPIC, ""):
            assert not takes("amazon_ses", posted("amazon_ses", signed(notice(topic, CERTIFICATE), "amazon")))
        assert not providers()["amazon_ses"].is_set_up()


@pytest.mark.parametrize(
    "url",
    [
        *TRICKS,
        CERTIFICATE.replace(".pem", ".crt"),
        CERTIFICATE + "?",
        CERTIFICATE.replace("/Simple", "/x/Simple"),
        CERTIFICATE.replace("-01", "-xy"),
        CERTIFICATE.replace("-01", "-../01"),
        "https://sns.eu-north-1.amazonaws.com/?Action=GetData&x=.pem",
    ],
)
def test_a_certificate_from_elsewhere_is_not_even_fetched(url: str, internet: Internet) -> None:
    message = signed(notice(TOPIC, url), "mallory")

    assert not takes("amazon_ses", posted("amazon_ses", message))
    assert internet.asked == []


@pytest.mark.parametrize(
    "found", [certificate("amazon", years=(-2, -1)), certificate("amazon", years=(1, 2)), b"<xml/>", b""]
)
def test_a_certificate_out_of_its_time_or_none_at_all_is_refused(found: bytes, internet: Internet) -> None:
    internet.files[CERTIFICATE] = found

    assert not takes("amazon_ses", posted("amazon_ses", signed(notice(TOPIC, CERTIFICATE), "amazon")))


def test_the_certificate_is_fetched_once(internet: Internet) -> None:
    for _ in range(3):
        assert takes("amazon_ses", posted("amazon_ses", signed(notice(TOPIC, CERTIFICATE), "amazon")))

    assert internet.asked == [CERTIFICATE]


def test_a_certificate_that_cannot_be_fetched_now_is_fetched_next_time(internet: Internet) -> None:
    request = posted("amazon_ses", signed(notice(TOPIC, CERTIFICATE), "amazon"))
    kept = internet.files.pop(CERTIFICATE)
    with pytest.raises(UncheckedError):
        providers()["amazon_ses"].verify(request)

    internet.files[CERTIFICATE] = kept

    assert takes("amazon_ses", request)


def test_a_subscription_to_our_topic_is_confirmed(internet: Internet) -> None:
    assert takes("amazon_ses", posted("amazon_ses", signed(invitation(TOPIC, CERTIFICATE, SUBSCRIBE), "amazon")))

    assert internet.asked == [CERTIFICATE, SUBSCRIBE]


def test_a_subscription_that_amazon_did_not_ask_for_is_not_confirmed(internet: Internet) -> None:
    message = signed(invitation(TOPIC, CERTIFICATE, "https://sns.eu-north-1.amazonaws.com/?Token=mine"), "amazon")
    for forged in (message | {"SubscribeURL": SUBSCRIBE}, message | {"Token": "another"}):
        assert not takes("amazon_ses", posted("amazon_ses", forged))

    assert internet.asked == [CERTIFICATE]


@pytest.mark.parametrize("url", TRICKS)
def test_a_subscription_is_confirmed_at_amazons_only(url: str, internet: Internet) -> None:
    assert takes("amazon_ses", posted("amazon_ses", signed(invitation(TOPIC, CERTIFICATE, url), "amazon")))

    assert internet.asked == [CERTIFICATE]


def test_the_end_of_a_subscription_is_not_taken_back(internet: Internet) -> None:
    message = invitation(TOPIC, CERTIFICATE, SUBSCRIBE, Type="UnsubscribeConfirmation")
    assert takes("amazon_ses", posted("amazon_ses", signed(message, "amazon")))

    assert internet.asked == [CERTIFICATE]


def test_what_cannot_be_confirmed_is_kept_all_the_same(internet: Internet) -> None:
    del internet.files[SUBSCRIBE]

    assert takes("amazon_ses", posted("amazon_ses", signed(invitation(TOPIC, CERTIFICATE, SUBSCRIBE), "amazon")))


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b"{}", b"\xff", b"[" * 100_000, b'{"Type": []}', b'{"Type": "X"}']
)
def test_what_is_no_message_of_sns_is_refused(body: bytes) -> None:
    with pytest.raises(ForgedError):
        providers()["amazon_ses"].verify(post("amazon_ses", body, {}))


@pytest.fixture
def crossroads() -> Iterator[str]:
    """A web server that sends everybody on."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(302)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def test_nobody_is_followed_to_another_address(crossroads: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    with pytest.raises(OSError, match="302"):
        sns.fetch(crossroads)


@pytest.mark.parametrize("path", ["a b.pem", "å.pem", "a\x00.pem"])
def test_an_address_that_is_none_cannot_be_fetched(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    with pytest.raises(OSError, match="HTTP"):
        sns.fetch("https://sns.eu-north-1.amazonaws.com/" + path)
