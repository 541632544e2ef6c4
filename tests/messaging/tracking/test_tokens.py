"""What a token proves, and what it does not."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from hashlib import sha256
from hmac import digest
from itertools import permutations

import pytest
from django.conf import settings as real
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from pytest_django.fixtures import Settings

from messaging.inbox import reports
from messaging.incoming.addresses import LOCAL_PART, message_of, return_path
from messaging.models import Message, OldTokens
from messaging.tracking import tokens
from messaging.tracking.tokens import OLD_RETURN_PATHS_DAYS, TOKEN, Purpose, message_id_of, message_ids_in, token_of
from tests.messaging.tracking.test_tracking import visit

NUMBERS = st.integers(1, 10**18 - 1)


@pytest.fixture(autouse=True)
def _known_anew() -> Iterator[None]:
    tokens.old.cache_clear()
    yield
    tokens.old.cache_clear()


def old_token_of(message_id: int, key: str = "") -> str:
    """As versions before the purposes made them."""
    secret = sha256(b"engage message token\0" + (key or real.SECRET_KEY).encode()).digest()
    return f"{message_id}-{digest(secret, b'%d' % message_id, 'sha256')[:8].hex()}"


def gone_over(last_message: int, days_ago: float = 0) -> None:
    OldTokens.objects.all().delete()
    OldTokens.objects.create(last_message=last_message, at=timezone.now() - timedelta(days=days_ago))


@given(NUMBERS)
def test_a_token_proves_its_own_purpose(number: int) -> None:
    for purpose in Purpose:
        assert message_id_of(token_of(number, purpose), purpose) == number
        assert message_id_of(token_of(number, purpose).upper(), purpose) == number


@pytest.mark.parametrize(("purpose", "other"), list(permutations(Purpose, 2)))
def test_a_token_proves_no_other_purpose(purpose: Purpose, other: Purpose) -> None:
    assert message_id_of(token_of(4711, purpose), other) is None


@given(NUMBERS, NUMBERS, st.sampled_from(Purpose))
def test_a_token_proves_no_other_message(number: int, other: int, purpose: Purpose) -> None:
    proof = token_of(number, purpose).partition("-")[2]

    assert message_id_of(f"{other}-{proof}", purpose) == (number if number == other else None)


def test_the_key_before_goes_on_proving(settings: Settings) -> None:
    made = token_of(4711, Purpose.LEAVE)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another", [settings.SECRET_KEY]

    assert message_id_of(made, Purpose.LEAVE) == 4711
    settings.SECRET_KEY_FALLBACKS = []
    assert message_id_of(made, Purpose.LEAVE) is None


@pytest.mark.parametrize("purpose", Purpose)
def test_whatever_it_is_for_support_finds_its_message(purpose: Purpose) -> None:
    assert list(message_ids_in(f"<https://e.example/u/{token_of(4711, purpose)}/>")) == [4711]


def test_a_return_path_is_short_enough_for_a_local_part() -> None:
    assert len(return_path(10**18 - 1).partition("@")[0]) <= 64
    assert TOKEN.search(return_path(4711))


@pytest.mark.django_db
@pytest.mark.parametrize("purpose", Purpose)
def test_a_token_from_before_is_good_for_a_message_from_before(purpose: Purpose) -> None:
    gone_over(last_message=4711)

    assert message_id_of(old_token_of(4711), purpose) == 4711


@pytest.mark.django_db
@pytest.mark.parametrize("purpose", Purpose)
def test_a_token_from_before_is_good_for_no_later_message(purpose: Purpose) -> None:
    gone_over(last_message=4711)

    assert message_id_of(old_token_of(4712), purpose) is None


@pytest.mark.django_db
def test_a_return_path_from_before_is_good_for_some_days() -> None:
    old = f"{LOCAL_PART}+{old_token_of(4711)}@bounces.shop.example"
    gone_over(4711, days_ago=OLD_RETURN_PATHS_DAYS - 1)
    assert message_of(old) == 4711

    tokens.old.cache_clear()
    gone_over(4711, days_ago=OLD_RETURN_PATHS_DAYS + 1)
    assert message_of(old) is None
    assert message_id_of(old_token_of(4711), Purpose.LEAVE) == 4711


@pytest.mark.django_db
def test_where_engage_is_new_no_token_without_a_purpose_is_good() -> None:
    OldTokens.objects.all().delete()

    assert not any(message_id_of(old_token_of(1), purpose) for purpose in Purpose)


@pytest.mark.django_db
@pytest.mark.parametrize("purpose", sorted(set(Purpose) - {Purpose.LEAVE}))
def test_only_its_own_token_opens_the_way_out(new_message: Callable[..., Message], purpose: Purpose) -> None:
    message = new_message()

    assert visit(f"/u/{token_of(message.pk, purpose)}/", method="post") == 404
    assert visit(f"/u/{token_of(message.pk, Purpose.LEAVE)}/", method="post") == 200


@pytest.mark.django_db
@pytest.mark.parametrize("purpose", sorted(set(Purpose) - {Purpose.OPEN}))
def test_only_its_own_token_opens_a_message(new_message: Callable[..., Message], purpose: Purpose) -> None:
    message = new_message()

    assert visit(f"/o/{token_of(message.pk, purpose)}.gif") == 200
    assert reports.apply_pending() == 0
