"""A program: queue so many emails with django-post_office, send them in so many processes, print the seconds of that.

Its status and, as its default is, a log row of failures alone are what it writes. Queueing is not counted.
"""

import logging
import sys
import time

import django
from django.core.management import call_command
from django.db import connection

django.setup()

from post_office import mail  # noqa: E402
from post_office.mail import send_queued  # noqa: E402
from post_office.models import STATUS, Email, EmailTemplate  # noqa: E402

from bench.letters import HTML, SUBJECT, TEXT  # noqa: E402
from contacts.models import Contact  # noqa: E402


def main(mails: int, processes: int) -> None:
    logging.getLogger("post_office").setLevel(logging.WARNING)
    call_command("migrate", "post_office", verbosity=0)
    template = EmailTemplate.objects.create(
        name="letter", subject=theirs(SUBJECT), content=theirs(TEXT), html_content=theirs(HTML)
    )
    mail.send_many([
        {
            "sender": "news@shop.example", "recipients": [contact.email], "template": template,
            "context": {"firstName": contact.first_name, "email": contact.email, "unsubscribeUrl": "https://x.example"},
            "render_on_delivery": True,
        }
        for contact in Contact.objects.order_by("pk")[:mails]
    ])  # fmt: skip
    start = time.perf_counter()
    while Email.objects.filter(status__in=[STATUS.queued, STATUS.requeued]).exists():
        connection.close()  # its processes would close it for us, as send_queued_mail_until_done knows
        send_queued(processes)
        connection.close()
    print(time.perf_counter() - start)
    sent = Email.objects.filter(status=STATUS.sent).count()
    if sent != mails:
        sys.exit(f"post_office sent {sent} of {mails}")


def theirs(text: str) -> str:
    """With Django's tags in place of ours."""
    for ours, django_s in (
        ("[[firstName,Hello]]", "{{ firstName|default:'Hello' }}"),
        ("[[firstName,dear customer]]", "{{ firstName|default:'dear customer' }}"),
        ("[[email]]", "{{ email }}"),
        ("[[unsubscribeUrl]]", "{{ unsubscribeUrl }}"),
    ):
        text = text.replace(ours, django_s)
    return text


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
