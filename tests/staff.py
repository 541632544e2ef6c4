"""People who may use the admin, logged in."""

from django.contrib.auth.models import User
from django.test import Client

from tests.factories import make_user


def staff(group: str = "Support", *, is_superuser: bool = False) -> Client:
    """A browser of somebody of the group who may enter the admin."""
    user = make_user(group)
    User.objects.filter(pk=user.pk).update(is_staff=True, is_superuser=is_superuser)
    client = Client()
    client.force_login(User.objects.get(pk=user.pk), backend="engage.permissions.Backend")
    return client


def superuser() -> Client:
    return staff("", is_superuser=True)
