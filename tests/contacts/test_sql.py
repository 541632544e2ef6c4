"""Arrays as text: whatever goes in comes out of PostgreSQL the same."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contacts.models import Channel
from contacts.sql import array, columns

# All but what PostgreSQL's text cannot hold.
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


def read_back(written: str, kind: str) -> list[object]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT %s::{kind}[]", [written])
        return list(cursor.fetchone()[0])


@pytest.mark.django_db
@given(st.lists(st.none() | texts | st.sampled_from(["NULL", "{}", '"', "\\", '\\"', "a,b", " ", "", "\n"])))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_comes_back(values: list[str | None]) -> None:
    assert read_back(array(values), "text") == values


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("bigint", [1, None, -(2**63)]),
        ("boolean", [True, False, None]),
        ("uuid", [uuid4(), None]),
        ("timestamptz", [datetime(2026, 11, 23, 1, 2, 3, 4, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)]),
        ("interval", [timedelta(hours=72), timedelta(days=-1, microseconds=5), None]),
    ],
)
def test_other_values_come_back(kind: str, values: list[object]) -> None:
    assert read_back(array(values), kind) == values


def test_rows_become_columns_and_choices_their_values() -> None:
    assert columns([(1, Channel.SMS), (2, None)]) == ['{"1","2"}', '{"sms",NULL}']
