"""How long the server takes for the Messages tab of a contact's card, and how many queries."""

import time
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Final

from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from bench import data
from bench.figures import Figure, percentile, rounded, say

ORDINARY: Final = 400
HEAVY: Final = 50
ROUNDS: Final = 3
A_PAGE: Final = 50
MANY: Final = 500

# Contacts by how many messages they have; from the whole range, and the same ones every time.
CONTACTS_WITH: Final = """
SELECT c.guid FROM (
  SELECT contact_id, count(*) AS n FROM messaging_message WHERE contact_id IS NOT NULL GROUP BY contact_id
) counted JOIN contacts_contact c ON c.id = counted.contact_id
WHERE n >= %s AND n < %s ORDER BY md5(c.id::text) LIMIT %s
"""


def measure(messages: int) -> Iterator[Figure]:
    data.loaded(messages)()
    call_command("collectstatic", "--no-input", verbosity=0)
    import_module("engage.wsgi")  # as the web server does, with what follows for the garbage collector
    client = administrator()
    ordinary, heavy = pages_of(A_PAGE, MANY, ORDINARY), pages_of(MANY, 10**9, HEAVY)
    if not heavy:
        raise AssertionError(f"Of {messages:,} messages no contact has {MANY}; take MESSAGES=1000000 or more")
    say(f"{len(ordinary)} contacts with {A_PAGE} messages and more, {len(heavy)} with {MANY} and more")
    took: dict[str, list[float]] = {"ordinary": [], "heavy": []}
    for number in range(ROUNDS + 1):
        for name, pages in (("ordinary", ordinary), ("heavy", heavy)):
            milliseconds = [get(client, page) for page in pages]
            if number:  # the first round warms up
                took[name] += milliseconds
        say(f"round {number}: p50 {percentile(took['ordinary'], 0.5) if number else 0:.1f} ms")
    with CaptureQueriesContext(connection) as captured:
        get(client, ordinary[0])
    detail: dict[str, object] = {
        "messages": messages, "rows": A_PAGE, "contacts": len(ordinary), "requests": len(took["ordinary"]),
        "p50_ms": rounded(percentile(took["ordinary"], 0.5)),
        "heavy": {"contacts": len(heavy), "p50_ms": rounded(percentile(took["heavy"], 0.5)),
                  "p99_ms": rounded(percentile(took["heavy"], 0.99))},
    }  # fmt: skip
    yield Figure("card_p99_ms", percentile(took["ordinary"], 0.99), "ms", detail)
    yield Figure("card_queries", len(captured), "queries", {"messages": messages})
    ratio = percentile(took["heavy"], 0.5) / percentile(took["ordinary"], 0.5)
    yield Figure("card_heavy_vs_uniform", ratio, "ratio", detail)


def administrator() -> Client:
    user = User.objects.create_user("bench")
    user.groups.add(Group.objects.get(name="Administrators"))
    client = Client(SERVER_NAME="localhost")
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    return client


def pages_of(least: int, below: int, count: int) -> Sequence[str]:
    with connection.cursor() as cursor:
        cursor.execute(CONTACTS_WITH, [least, below, count])
        return [f"/contacts/{guid}/messages/" for (guid,) in cursor.fetchall()]


def get(client: Client, page: str, query: dict[str, str] | None = None) -> float:
    """Milliseconds of the server's own time, templates and all."""
    start = time.perf_counter()
    response = client.get(page, query)
    took = (time.perf_counter() - start) * 1000
    if response.status_code != 200:
        raise AssertionError(f"{page} answered {response.status_code}")
    return took
