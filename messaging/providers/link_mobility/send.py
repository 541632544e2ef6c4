"""Sending SMS by LINK Mobility.

"SMS REST API: MT and Delivery Reports", "Sending MT messages". Reports come to the gate.
"""

from typing import Any, Final

from messaging.providers.gateway import Gateway, GatewayAnswer, GatewayRequest, Sms, basic, json_body, text_at
from messaging.providers.http_route import HttpRoute
from messaging.providers.tables import CodeMeaning, tables
from messaging.status.order import Kind


def _request(sms: Sms, route: HttpRoute) -> GatewayRequest:
    kind = "MSISDN" if sms.sender.startswith("+") else "SHORTNUMBER" if sms.sender.isdigit() else "ALPHANUMERIC"
    fields = {
        "source": sms.sender, "sourceTON": kind, "destination": sms.number, "userData": sms.text,
        "platformId": route.options["platform"], "platformPartnerId": route.options["partner"], "refId": sms.token,
        "useDeliveryReport": True, "deliveryReportGates": [route.options["gate"]],
        "relativeValidityTime": sms.seconds * 1000, "ignoreResponse": False,
    }  # fmt: skip
    return json_body("/sms/send", fields, basic(route))


CODES: Final = tables("link_mobility")["codes"] | tables("link_mobility")["refusals"]


def _parse_answer(answer: Any) -> GatewayAnswer:
    """1005 "Queued", as a rule; a code with which an SMS has ended is a refusal."""
    message, code = text_at(answer, "messageId"), text_at(answer, "resultCode")
    ended = CODES.get(code, CodeMeaning(Kind.ACCEPTED)).reason
    return GatewayAnswer((message,) if message else (), code, text_at(answer, "description"), is_refused=bool(ended))


def _parse_error(answer: Any) -> tuple[str, str]:
    """The document does not name the fields of its ErrorResponse: those of a SendResponse, or "status"."""
    code = text_at(answer, "resultCode") or text_at(answer, "status")
    return code, text_at(answer, "description") or text_at(answer, "message")


gateway = Gateway("link_mobility", "https://n-eu.linkmobility.io", _request, _parse_answer, _parse_error, CODES)
