from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class MessagingConfig(AppConfig):
    name = "messaging"
    verbose_name = _("Messaging")

    def ready(self) -> None:
        """A gateway that is described wrongly stops the start, instead of losing its reports later."""
        from messaging.providers import providers  # noqa: PLC0415 -- they need the apps' models

        providers()
