"""A small real HTTP server on loopback that stands in for a provider's API, and what it got, in one form for all."""

import json
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.header import decode_header, make_header
from email.policy import default
from email.utils import parseaddr
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs

from messaging.delivery.email_routes import Esp, route_of
from messaging.providers.esp import variable
from messaging.providers.sending import esp_of

Answer = tuple[int, Mapping[str, str], Any]


@dataclass(frozen=True)
class Asked:
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Provider:
    """`answers` are given one after the other, the last for ever; a string hangs up: before the answer, or in it."""

    slug: str
    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    answers: list[Answer | None] = field(default_factory=list)
    connections: int = 0

    @property
    def route(self) -> Esp:
        url = f"http://127.0.0.1:{self.port}/"
        environment = {variable(self.slug, name): f"{name}-given" for name in esp_of(self.slug).needed}
        environment |= {variable(self.slug, "api_url"): url, "AMAZON_SES_REGION": "eu-north-1"}
        route = route_of(f"anymail:{self.slug}", environment)
        assert isinstance(route, Esp)
        return route

    def answer_to(self, asked: Asked) -> Answer | None:
        number = min(len(self.asked), len(self.answers)) - 1
        return self.answers[number] if self.answers else YES[self.slug](asked)


@contextmanager
def provider(slug: str, *answers: Answer | None) -> Iterator[Provider]:
    """None hangs up without an answer."""
    found = Provider(slug, answers=list(answers))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            found.connections += 1

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked = Asked(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            found.asked.append(asked)
            answer = found.answer_to(asked)
            if answer is None:
                self.close_connection = True
                return
            code, headers, said = answer
            text = said.encode() if isinstance(said, str) else json.dumps(said).encode()
            self.send_response(code)
            for name, value in {"Content-Type": "application/json", **headers, "Content-Length": len(text)}.items():
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found.port = server.server_address[1]
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()


@dataclass(frozen=True)
class Arrived:
    """What a provider was asked to send. Addresses as name and address; names of headers in lower case."""

    subject: str
    text: str
    html: str
    sender: tuple[str, str]
    recipient: str
    headers: Mapping[str, str]
    token: str


def mailbox(text: str) -> tuple[str, str]:
    name, address = parseaddr(text)
    return str(make_header(decode_header(name))), address


def named(said: Mapping[str, str], name: str = "name", email: str = "email") -> tuple[str, str]:
    return str(make_header(decode_header(said.get(name, "")))), said[email]


def lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def pairs(headers: list[dict[str, str]], name: str = "Name", value: str = "Value") -> dict[str, str]:
    return {each[name].lower(): each[value] for each in headers}


def _brevo(asked: Asked) -> Arrived:
    said, headers = asked.json, lower(asked.json["headers"])
    token = json.loads(headers["x-mailin-custom"])["engage"]
    return Arrived(
        said["subject"], said["textContent"], said.get("htmlContent", ""), named(said["sender"]), said["to"][0]["email"],
        headers, token,
    )  # fmt: skip


def _mailersend(asked: Asked) -> Arrived:
    said = asked.json
    headers = pairs(said["headers"], "name", "value") | ({"precedence": "bulk"} if said["precedence_bulk"] else {})
    return Arrived(
        said["subject"], said["text"], said.get("html", ""), named(said["from"]), said["to"][0]["email"], headers,
        said["tags"][0],
    )  # fmt: skip


def _mailgun(asked: Asked) -> Arrived:
    said = {name: values[0] for name, values in parse_qs(asked.body.decode(), keep_blank_values=True).items()}
    headers = {name.removeprefix("h:").lower(): value for name, value in said.items() if name.startswith("h:")}
    return Arrived(
        said["subject"],
        said["text"],
        said.get("html", ""),
        mailbox(said["from"]),
        said["to"],
        headers,
        said["v:engage"],
    )


def _mailjet(asked: Asked) -> Arrived:
    said = asked.json["Globals"]
    to = asked.json["Messages"][0]["To"][0]["Email"]
    return Arrived(
        said["Subject"], said["TextPart"], said.get("HTMLPart", ""), named(said["From"], "Name", "Email"), to,
        lower(said["Headers"]), json.loads(said["EventPayload"])["engage"],
    )  # fmt: skip


def _mailtrap(asked: Asked) -> Arrived:
    said = asked.json
    return Arrived(
        said["subject"], said["text"], said.get("html", ""), named(said["from"]), said["to"][0]["email"],
        lower(said["headers"]), said["custom_variables"]["engage"],
    )  # fmt: skip


def _mandrill(asked: Asked) -> Arrived:
    said = asked.json["message"]
    return Arrived(
        said["subject"], said["text"], said.get("html", ""), named(said, "from_name", "from_email"), said["to"][0]["email"],
        lower(said["headers"]), said["metadata"]["engage"],
    )  # fmt: skip


def _postal(asked: Asked) -> Arrived:
    said = asked.json
    return Arrived(
        said["subject"], said["plain_body"], said.get("html_body", ""), mailbox(said["from"]), said["to"][0],
        lower(said["headers"]), said["tag"],
    )  # fmt: skip


def _postmark(asked: Asked) -> Arrived:
    said = asked.json
    return Arrived(
        said["Subject"], said["TextBody"], said.get("HtmlBody", ""), mailbox(said["From"]), said["To"],
        pairs(said["Headers"]), said["Metadata"]["engage"],
    )  # fmt: skip


def _resend(asked: Asked) -> Arrived:
    said, headers = asked.json, lower(asked.json["headers"])
    token = json.loads(headers["x-metadata"])["engage"]
    return Arrived(
        said["subject"], said["text"], said.get("html", ""), mailbox(said["from"]), said["to"][0], headers, token
    )


def _scaleway(asked: Asked) -> Arrived:
    said, headers = asked.json, pairs(asked.json["additional_headers"], "key", "value")
    return Arrived(
        said["subject"], said["text"], said.get("html", ""), named(said["from"]), said["to"][0]["email"], headers,
        json.loads(headers["x-metadata"])["engage"],
    )  # fmt: skip


def _sendgrid(asked: Asked) -> Arrived:
    said = asked.json
    text, html = ([*(each["value"] for each in said["content"]), ""])[:2]
    to = said["personalizations"][0]["to"][0]["email"]
    headers, token = lower(said["headers"]), said["custom_args"]["engage"]
    return Arrived(said["subject"], text, html, named(said["from"]), to, headers, token)


def _sparkpost(asked: Asked) -> Arrived:
    said, content = asked.json, asked.json["content"]
    return Arrived(
        content["subject"], content["text"], content.get("html", ""), mailbox(content["from"]),
        said["recipients"][0]["address"]["email"], lower(content["headers"]), said["metadata"]["engage"],
    )  # fmt: skip


def _unisender_go(asked: Asked) -> Arrived:
    said = asked.json["message"]
    return Arrived(
        said["subject"], said["body"]["plaintext"], said["body"].get("html", ""), named(said, "from_name", "from_email"),
        said["recipients"][0]["email"], lower(said["headers"]), said["global_metadata"]["engage"],
    )  # fmt: skip


def _amazon_ses(asked: Asked) -> Arrived:
    said = message_from_bytes(b64decode(asked.json["Content"]["Raw"]["Data"]), policy=default)
    bodies = [said.get_body((kind,)) for kind in ("plain", "html")]
    text, html = (str(body.get_content()) if body is not None else "" for body in bodies)
    headers = {name.lower(): str(value) for name, value in said.items()}
    token = json.loads(headers["x-metadata"])["engage"]
    to = asked.json["Destination"]["ToAddresses"][0]
    return Arrived(headers["subject"], text, html, mailbox(headers["from"]), to, headers, token)


READ: dict[str, Callable[[Asked], Arrived]] = {
    "amazon_ses": _amazon_ses, "brevo": _brevo, "mailersend": _mailersend, "mailgun": _mailgun, "mailjet": _mailjet,
    "mailtrap": _mailtrap, "mandrill": _mandrill, "postal": _postal, "postmark": _postmark, "resend": _resend,
    "scaleway": _scaleway, "sendgrid": _sendgrid, "sparkpost": _sparkpost, "unisender_go": _unisender_go,
}  # fmt: skip


def _yes(slug: str, body: Callable[[str], Any], code: int = 200, headers: Mapping[str, str] | None = None) -> Any:
    def answer(asked: Asked) -> Answer:
        return code, headers or {}, body(READ[slug](asked).recipient)

    return answer


# What each says when it takes a mail, as its documentation has it.
YES: dict[str, Callable[[Asked], Answer]] = {
    "amazon_ses": _yes("amazon_ses", lambda _to: {"MessageId": "its-id"}),
    "brevo": _yes("brevo", lambda _to: {"messageId": "<its-id>"}, 201),
    "mailersend": _yes("mailersend", lambda _to: "", 202, {"X-Message-Id": "its-id", "Content-Type": "text/html"}),
    "mailgun": _yes("mailgun", lambda _to: {"id": "<its-id>", "message": "Queued. Thank you."}),
    "mailjet": _yes("mailjet", lambda to: {
        "Messages": [{"Status": "success", "To": [{"Email": to, "MessageUUID": "u", "MessageID": "its-id"}]}],
    }),
    "mailtrap": _yes("mailtrap", lambda _to: {"success": True, "message_ids": ["its-id"]}),
    "mandrill": _yes("mandrill", lambda to: [{"email": to, "status": "queued", "_id": "its-id"}]),
    "postal": _yes("postal", lambda to: {
        "status": "success", "data": {"message_id": "m", "messages": {to: {"id": "its-id", "token": "t"}}},
    }),
    "postmark": _yes("postmark", lambda to: {"To": to, "MessageID": "its-id", "ErrorCode": 0, "Message": "OK"}),
    "resend": _yes("resend", lambda _to: {"id": "its-id"}),
    "scaleway": _yes("scaleway", lambda to: {"emails": [{"id": "its-id", "mail_rcpt": to, "status": "new"}]}),
    "sendgrid": _yes("sendgrid", lambda _to: "", 202, {"X-Message-Id": "its-id"}),
    "sparkpost": _yes("sparkpost", lambda _to: {
        "results": {"total_rejected_recipients": 0, "total_accepted_recipients": 1, "id": "its-id"},
    }),
    "unisender_go": _yes("unisender_go", lambda to: {"status": "success", "job_id": "its-id", "emails": [to]}),
}  # fmt: skip
