"""One query, and Django's own answer."""

import pytest
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import AnonymousUser, Group, Permission, User
from pytest_django import DjangoAssertNumQueries

from engage.permissions import Backend
from tests.factories import make_user

pytestmark = pytest.mark.django_db

KINDS = ["nothing", "own", "groups", "both", "superuser", "inactive"]


def user_with(kind: str) -> User:
    user = User.objects.create_user(kind, is_superuser=kind == "superuser", is_active=kind != "inactive")
    if kind in ("own", "both", "inactive"):
        user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    if kind in ("groups", "both", "inactive"):
        user.groups.set(Group.objects.filter(name__in=["Marketers", "Administrators"]))
    return user


@pytest.mark.parametrize("kind", KINDS)
def test_a_user_may_do_what_django_says(kind: str) -> None:
    user = user_with(kind)

    ours = Backend().get_all_permissions(User.objects.get(pk=user.pk))

    assert ours == ModelBackend().get_all_permissions(User.objects.get(pk=user.pk))
    assert bool(ours) == (kind not in ("nothing", "inactive"))


def test_nobody_may_do_nothing() -> None:
    assert Backend().get_all_permissions(AnonymousUser()) == set()
    assert Backend().get_all_permissions(make_user("Marketers"), Group.objects.get(name="Marketers")) == set()


def test_it_is_asked_once(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    user = user_with("both")

    with django_assert_num_queries(1):
        assert user.has_perm("messaging.view_message")
        assert not user.has_perm("messaging.view_nothing")
        assert user.has_module_perms("contacts")
