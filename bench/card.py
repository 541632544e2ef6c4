"""How long the server takes for the Messages tab of a contact's card, and how many queries."""

import time
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any, Final

from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.db import connection
from django.test import Client, RequestFactory, override_settings
from django.test.utils import CaptureQueriesContext

from bench import data
from bench.beside import bare
from bench.figures import Figure, percentile, rounded, say

ORDINARY: Final = 400
HEAVY: Final = 50
ROUNDS: Final = 3
A_PAGE: Final = 50
MANY: Final = 500
# A frame of a call in `below` takes some 100 bytes: in between lies a chunk of 16 KB (engage/frames.py).
DEPTHS: Final = range(0, 161, 8)
FEW: Final = 30

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
    client = administrator()
    ordinary, heavy = pages_of(A_PAGE, MANY, ORDINARY), pages_of(MANY, 10**9, HEAVY)
    if not heavy:
        raise AssertionError(f"Of {messages:,} messages no contact has {MANY}; take MESSAGES=1000000 or more")
    say(f"{len(ordinary)} contacts with {A_PAGE} messages and more, {len(heavy)} with {MANY} and more")
    took: dict[str, list[float]] = {"ordinary": [], "heavy": []}
    fastest = [float("inf")] * len(ordinary)
    for number in range(ROUNDS + 1):
        for name, pages in (("ordinary", ordinary), ("heavy", heavy)):
            milliseconds = [get(client, page) for page in pages]
            if number:  # the first round warms up
                took[name] += milliseconds
        if number:
            fastest = list(map(min, fastest, took["ordinary"][-len(ordinary) :]))
        say(f"round {number}: p50 {percentile(took['ordinary'], 0.5) if number else 0:.1f} ms")
    with CaptureQueriesContext(connection) as captured:
        client.get(ordinary[0])
    detail: dict[str, object] = {
        "messages": messages, "rows": A_PAGE, "contacts": len(ordinary), "requests": len(took["ordinary"]),
        "p50_ms": rounded(percentile(took["ordinary"], 0.5)),
        # Of each page its fastest time: what pages take, without what the machine did at the same time.
        "p99_of_fastest_ms": rounded(percentile(fastest, 0.99)),
        "heavy": {"contacts": len(heavy), "p50_ms": rounded(percentile(took["heavy"], 0.5)),
                  "p99_ms": rounded(percentile(took["heavy"], 0.99))},
    }  # fmt: skip
    yield Figure("card_p99_ms", percentile(took["ordinary"], 0.99), "ms", detail)
    yield Figure("card_queries", len(captured), "queries", {"messages": messages})
    ratio = percentile(took["heavy"], 0.5) / percentile(took["ordinary"], 0.5)
    yield Figure("card_heavy_vs_uniform", ratio, "ratio", detail)
    yield depth_of_the_stack(client, ordinary[:FEW])
    with override_settings(ROOT_URLCONF="bench.beside.bare"):
        yield beside_bare(client, ordinary)


def beside_bare(client: Client, pages: Sequence[str]) -> Figure:
    """The tab against a bare view behind the same middleware that says the same in a plain template; turn by turn."""
    bare.read_around(client.get(pages[0]).content.decode())
    took: dict[str, list[float]] = {"ours": [], "bare": []}
    for page in (pages[0], *pages):
        took["ours"].append(get(client, page))
        took["bare"].append(get(client, bare_page(page)))
    medians = {name: percentile(times[1:], 0.5) for name, times in took.items()}
    characters = {
        name: len(bare.text_of(client.get(page).content.decode()))
        for name, page in (("ours", pages[0]), ("bare", bare_page(pages[0])))
    }
    detail: dict[str, object] = {
        "p50_ms": {name: rounded(median) for name, median in medians.items()}, "visible_characters": characters,
    }  # fmt: skip
    return Figure("card_vs_bare", medians["ours"] / medians["bare"], "ratio", detail)


def bare_page(page: str) -> str:
    return page.replace("/contacts/", "/bare/").replace("/messages/", "/")


def depth_of_the_stack(client: Client, pages: Sequence[str]) -> Figure:
    """The slowest against the fastest, where only the number of calls differs that are on the stack already."""
    medians = {depth: percentile([below(depth, client, page) for page in pages], 0.5) for depth in DEPTHS}
    detail: dict[str, object] = {"p50_ms": {depth: rounded(median) for depth, median in medians.items()}}
    return Figure("card_slowest_depth", max(medians.values()) / min(medians.values()), "ratio", detail)


def below(depth: int, client: Client, page: str) -> float:
    return below(depth - 1, client, page) if depth else get(client, page)


def administrator() -> Client:
    user = User.objects.create_user("bench")
    # Whoever may send sees one icon more in each row.
    user.groups.set(Group.objects.filter(name__in=["Administrators", "Marketers"]))
    client = Client(SERVER_NAME="localhost")
    client.force_login(user, "engage.permissions.Backend")
    return client


def pages_of(least: int, below: int, count: int) -> Sequence[str]:
    with connection.cursor() as cursor:
        cursor.execute(CONTACTS_WITH, [least, below, count])
        return [f"/contacts/{guid}/messages/" for (guid,) in cursor.fetchall()]


def get(client: Client, page: str, query: dict[str, str] | None = None) -> float:
    """Milliseconds of the server's own time, from the request's environment to the last byte."""
    application = import_module("engage.wsgi").application
    environment = as_it_comes(client, page, query)
    answered: list[str] = []
    start = time.perf_counter()
    response = application(environment, lambda status, _headers: answered.append(status))
    b"".join(response)
    response.close()
    took = (time.perf_counter() - start) * 1000
    if answered != ["200 OK"]:
        raise AssertionError(f"{page} answered {answered}")
    return took


def as_it_comes(client: Client, page: str, query: dict[str, str] | None) -> dict[str, Any]:
    """What a web server tells of a request of the client's."""
    requests = RequestFactory(SERVER_NAME="localhost")
    requests.cookies = client.cookies
    return requests.get(page, query).environ
