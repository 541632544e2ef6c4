"""Amazon's signature of a request, version 4: of a POST to / without a query. Pure.

AWS IAM User Guide, "Create a signed AWS API request". Signed are all headers that are given.
"""

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import reduce
from hashlib import sha256
from typing import Final

ALGORITHM: Final = "AWS4-HMAC-SHA256"


def signed(
    headers: Mapping[str, str], body: bytes, key: tuple[str, str], place: tuple[str, str], at: datetime
) -> dict[str, str]:
    """The headers, of which Host must be one, with date and signature.

    `key`: the access key's id and its secret; `place`: region and service; `at`: aware. It is good for five minutes.
    """
    time = at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    dated = {**headers, "X-Amz-Date": time}
    lower = sorted((name.lower(), " ".join(value.split())) for name, value in dated.items())
    lines, names = [f"{name}:{value}" for name, value in lower], ";".join(name for name, _ in lower)
    request = "\n".join(["POST", "/", "", *lines, "", names, sha256(body).hexdigest()])
    scope = [time[:8], *place, "aws4_request"]
    text = "\n".join([ALGORITHM, time, "/".join(scope), sha256(request.encode()).hexdigest()])
    secret = reduce(_mac, scope, f"AWS4{key[1]}".encode())
    credential = f"{key[0]}/{'/'.join(scope)}"
    signature = _mac(secret, text).hex()
    return {
        **dated, "Authorization": f"{ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}"
    }  # fmt: skip


def _mac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
