"""The Messages tab as barely as Django can: one query over the ORM, one plain template with the same visible text.

It knows no filters, no permissions, no blocks and no live rows; what a person reads is the same.
"""

import re
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.template import Context, Engine
from django.urls import path
from django.utils.html import strip_tags

from engage.urls import urlpatterns as of_engage
from messaging.models import Message

ROWS: Final = 50
ROW: Final = re.compile(r'<li id="message-.*?</li>', re.DOTALL)
TEMPLATE: Final = Engine().from_string("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Messages</title></head><body><p>{{ around }}</p><ul>
{% for message in messages %}<li>{{ message.get_channel_display }}
<a href="/messages/{{ message.pk }}/">{% firstof message.subject message.send_out.subject message.send_out.name %}</a>
{{ message.address.value }} <b>{{ message.get_status_display }}</b> {{ message.reason }}
<time datetime="{{ message.sent_at|date:"c" }}">{{ message.sent_at|date:"j M Y, H:i" }}</time></li>{% endfor %}
</ul></body></html>""")

# What a person reads on the page around the rows: the same text in every answer.
around: str = ""


def text_of(html: str) -> str:
    """What a person reads of a page, in one line."""
    body = html.partition("<body")[2]
    return " ".join(strip_tags(re.sub(r"<(script|style|svg|template)\b.*?</\1>", "", body, flags=re.DOTALL)).split())


def read_around(html: str) -> None:
    """Take what stands around the rows from a page of ours."""
    global around  # noqa: PLW0603 -- one bench, one page
    around = text_of(ROW.sub("", html))


def messages_tab(_request: HttpRequest, guid: str) -> HttpResponse:
    of_contact = Message.objects.filter(contact__guid=guid).select_related("send_out", "address")
    messages = list(of_contact.order_by("-pk")[:ROWS])
    return HttpResponse(TEMPLATE.render(Context({"messages": messages, "around": around})))


urlpatterns = [path("bare/<uuid:guid>/", messages_tab), *of_engage]
