"""MailerSend: emails, its reports on them, and what its words mean."""

from typing import Final

# By which channel we can send with it: what a route in the settings may name, before Django is up.
SENDS: Final = "email"
