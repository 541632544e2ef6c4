"""What a user may do, in one query: every page and every row that looks for news asks for it."""

from typing import Any, Final

from django.contrib.auth.backends import ModelBackend
from django.db import connection
from django.db.models import Model

HELD: Final = """
SELECT t.app_label, p.codename FROM auth_permission p JOIN django_content_type t ON t.id = p.content_type_id
WHERE p.id IN (
  SELECT permission_id FROM auth_user_user_permissions WHERE user_id = %(user)s
  UNION ALL
  SELECT g.permission_id FROM auth_user_groups u JOIN auth_group_permissions g ON g.group_id = u.group_id
  WHERE u.user_id = %(user)s
)
"""


class Backend(ModelBackend):
    """Django's own, which asks for the permissions of the user and for those of the groups in turn."""

    def get_all_permissions(self, user_obj: Any, obj: Model | None = None) -> set[str]:
        is_ordinary = user_obj.is_active and not user_obj.is_anonymous and not user_obj.is_superuser
        if is_ordinary and obj is None and not hasattr(user_obj, "_perm_cache"):
            user_obj._perm_cache = held_by(user_obj.pk)  # where Django looks first
        return super().get_all_permissions(user_obj, obj)


def held_by(user_id: int) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(HELD, {"user": user_id})
        return {f"{app}.{name}" for app, name in cursor.fetchall()}
