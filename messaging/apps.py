from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class MessagingConfig(AppConfig):
    name = "messaging"
    verbose_name = _("Messaging")

    def ready(self) -> None:
        """What is described wrongly, and a key that is none, stop the start, instead of losing reports later."""
        from messaging.providers.registry import check_keys  # noqa: PLC0415 -- they need the apps' models

        check_keys()
