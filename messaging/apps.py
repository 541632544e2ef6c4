from django.apps import AppConfig
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from messaging.delivery.email_routes import route_of, to_strangers
from messaging.delivery.rates import CAREFUL, limits_of
from messaging.delivery.sms_routes import sms_route_of
from messaging.incoming.listeners import listeners_of
from messaging.incoming.mailboxes import mailboxes_of
from messaging.sendouts.dkim import keys_of
from messaging.smpp.connections import connections_of


class MessagingConfig(AppConfig):
    name = "messaging"
    verbose_name = _("Messaging")

    def ready(self) -> None:
        """What is set or described wrongly stops the start, instead of losing mail or reports later.

        Here, and not in a system check: neither the web server nor a worker runs those.
        """
        from messaging.providers.registry import check_keys  # noqa: PLC0415 -- they need the apps' models

        _read_routes()
        _read_ways_in()
        check_keys()


def _read_routes() -> None:
    """Put what the settings say of ways out into the form that delivery works with. Raises ImproperlyConfigured."""
    settings.SMPP_CONNECTIONS = connections_of(settings.SMPP_CONNECTIONS)
    settings.SMS_ROUTE = sms_route_of(settings.SMS_ROUTE, settings.SMPP_CONNECTIONS, settings.GATEWAYS_DIR)
    settings.EMAIL_ROUTE = route_of(settings.EMAIL_ROUTE)
    whole, domains = settings.EMAIL_LIMITS
    if domains is None:
        # To the receiving servers themselves, a careful number for each; a relay or a provider keeps its own limits.
        domains = [f"*={CAREFUL}"] if to_strangers(settings.EMAIL_ROUTE) else []
    settings.EMAIL_LIMITS = limits_of(whole, domains)
    settings.DKIM_KEYS = keys_of(settings.DKIM_KEYS)


def _read_ways_in() -> None:
    """Put what the settings say of bounce mail into the form that its room works with. Raises ImproperlyConfigured."""
    settings.BOUNCE_LISTENERS = listeners_of(settings.BOUNCE_LISTENERS)
    settings.IMAP_MAILBOXES = mailboxes_of(settings.IMAP_MAILBOXES)
    if settings.BOUNCE_LISTENERS and not settings.BOUNCE_DOMAIN:
        raise ImproperlyConfigured("BOUNCE_LISTEN needs BOUNCE_DOMAIN: the domain whose bounce mail is taken.")
