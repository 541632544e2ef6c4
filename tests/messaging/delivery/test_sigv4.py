"""Amazon's signature of a request: the same that Amazon's own library makes."""

from datetime import UTC, datetime

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from messaging.providers.amazon_sms.sigv4 import signed

HOST = "sms-voice.eu-north-1.amazonaws.com"
KEY, PLACE = ("AKIA1", "se/cret+1"), ("eu-north-1", "sms-voice")


@pytest.mark.parametrize("body", [b"", b"{}", '{"MessageBody": "Hej Åsa 😀"}'.encode()])
def test_a_request_is_signed_as_amazons_own_library_signs_it(body: bytes) -> None:
    at = datetime.now(UTC)
    headers = {"Content-Type": "application/x-amz-json-1.0", "Host": HOST, "X-Amz-Target": "A.B", "X-Amz": "a   b "}
    ours = signed(headers, body, KEY, PLACE, at)

    request = AWSRequest("POST", f"https://{HOST}/", headers=headers, data=body)
    request.context["timestamp"] = at.strftime("%Y%m%dT%H%M%SZ")
    request.headers["X-Amz-Date"] = ours["X-Amz-Date"]
    theirs = SigV4Auth(Credentials(*KEY), PLACE[1], PLACE[0])
    signature = theirs.signature(theirs.string_to_sign(request, theirs.canonical_request(request)), request)

    assert ours["Authorization"].endswith(f"Signature={signature}")
    assert f"SignedHeaders={theirs.signed_headers(theirs.headers_to_sign(request))}, " in ours["Authorization"]
    assert f"Credential={theirs.scope(request)}, " in ours["Authorization"]


def test_another_secret_body_or_region_makes_another_signature() -> None:
    at = datetime(2026, 11, 25, tzinfo=UTC)
    made = {
        signed({"Host": HOST}, body, ("AKIA1", secret), (region, "sms-voice"), at)["Authorization"].rpartition("=")[2]
        for body in (b"1", b"2")
        for secret in ("a", "b")
        for region in ("eu-north-1", "eu-west-1")
    }

    assert len(made) == 8
