"""The mails in mails/, filled in."""

from pathlib import Path

from messaging.incoming.addresses import return_path
from messaging.models import Message
from messaging.tracking.tokens import token_of

MAILS = Path(__file__).with_name("mails")
DOMAIN = "bounces.shop.example"


def letter(
    name: str, *, to: str = f"bounce@{DOMAIN}", recipient: str = "anna@example.net", returned: str = ""
) -> bytes:
    """`to`: where it is sent; `recipient`: of whom it speaks; `returned`: a header field of our mail that it quotes."""
    text = (MAILS / f"{name}.eml").read_text()
    for place, value in (("to", to), ("recipient", recipient), ("returned", returned or "X-Mailer: Engage")):
        text = text.replace("{{" + place + "}}", value)
    return text.replace("\n", "\r\n").encode()


def bounce_of(message: Message) -> bytes:
    """What a mail server sends back to the message's return path."""
    return letter("postfix_user_unknown", to=return_path(message.pk), recipient=message.address.value)


def our_message_id(message: Message) -> str:
    return f"Message-ID: <{token_of(message.pk)}@shop.example>"
