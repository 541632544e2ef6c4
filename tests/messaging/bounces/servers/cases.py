"""The newsletters that are sent to a server under test, one JSON object a line (see send.py).

python -m tests.messaging.bounces.servers.cases > cases.jsonl
"""

import json
from collections.abc import Iterator
from typing import Any, Final

from tests.messaging.bounces.servers.send import BODIES
from tests.messaging.bounces.servers.world import MIXED, scenarios

USERS: Final = ("neko", "maria.lopez", "j.smith", "info", "o'brien", "anna+news", "Hans.Meier", "support")
# What the configurations beside this file make of local addresses; x- says that the label is made by hand.
LOCAL: Final[tuple[dict[str, Any], ...]] = (
    {"case": "x-mixed", "to": [f"anna@{MIXED}", f"bert@{MIXED}", f"carl@{MIXED}"]},
    {
        "case": "x-mixed-more",
        "to": [f"fred@{MIXED}", f"gina@{MIXED}", "sue@no-such-domain.example", f"dora@{MIXED}"],
        "body": "html",
    },
    {"case": "x-greylisted", "to": [f"emil@{MIXED}"], "body": "utf8"},
    {"case": "x-local-unknown", "to": ["nobody-here@local.example"]},
    {
        "case": "x-local-unknown-two",
        "to": ["ghost@local.example", "user1@local.example", "spectre@local.example"],
        "body": "misleading",
    },
    {"case": "x-local-full", "to": ["full@local.example"]},
    {"case": "x-local-pipe", "to": ["pipe@local.example"]},
    {"case": "x-alias-dead", "to": ["oldstaff@local.example"]},
    {"case": "x-alias-team", "to": ["team@local.example"]},
    {"case": "x-alias-loop", "to": ["loopa@local.example"]},
    {"case": "x-success-relayed", "to": [f"anna@{MIXED}"], "notify": "SUCCESS,FAILURE"},
    {"case": "x-success-delivered", "to": ["user1@local.example"], "notify": "SUCCESS,FAILURE"},
    {"case": "x-success-expanded", "to": ["friends@local.example"], "notify": "SUCCESS,FAILURE", "ret": "HDRS"},
    {"case": "x-utf8", "to": ["müller@terra-like.example"], "utf8": True, "body": "utf8"},
    {"case": "x-utf8-unsupported", "to": ["müller@gmail-like.example"], "utf8": True, "body": "utf8"},
    {"case": "x-ret-full", "to": [f"bert@{MIXED}"], "ret": "FULL", "body": "html"},
    {"case": "x-ret-hdrs", "to": [f"bert@{MIXED}"], "ret": "HDRS", "body": "html"},
    {"case": "x-quoted", "to": ['"strange user"@virtual.example']},
    {"case": "x-long", "to": ["a.very.long.local.part.that.is.nearly.sixty-four.octets.in.length@virtual.example"]},
    {"case": "x-many", "to": [f"user{number}@virtual.example" for number in range(12)]},
    {"case": "x-vacation", "to": ["vacation@local.example"]},
    {"case": "x-reject", "to": ["reject@local.example"]},
    {"case": "x-literal", "to": ["someone@[192.0.2.77]"]},
)


def cases() -> Iterator[dict[str, Any]]:
    bodies = tuple(BODIES)
    for number, domain in enumerate(scenarios()):
        to = f"{USERS[number % len(USERS)]}@{domain}"
        case = {"case": domain.removesuffix(".example"), "to": [to], "body": bodies[number % len(bodies)]}
        yield case | ({"ret": "HDRS" if number % 2 else "FULL"} if number % 3 == 0 else {})
    yield from LOCAL


def main() -> None:
    for case in cases():
        print(json.dumps(case, ensure_ascii=False))


if __name__ == "__main__":
    main()
