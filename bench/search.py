"""How long the contact list and its search take at a million contacts."""

from collections.abc import Iterator
from typing import Final

from django.core.management import call_command

from bench import data
from bench.card import administrator, get
from bench.figures import Figure, percentile, rounded, say

CONTACTS: Final = 1_000_000
ROUNDS: Final = 5
# Common and rare names, pieces of addresses and numbers, one and two letters, and what nobody is called.
TERMS: Final = (
    "", "anna", "andersson", "zahra", "anna lind", "nobodyhasthisname", "example.dk", "anna@", "kund.example",
    "a", "an", "xu", "qz", "070", "+46701", "0701234", "46 70 12", "12345", "é", "söder",
)  # fmt: skip


def measure(_messages: int) -> Iterator[Figure]:
    data.loaded(0, CONTACTS)()
    call_command("collectstatic", "--no-input", verbosity=0)
    client = administrator()
    took: dict[str, list[float]] = {term: [] for term in TERMS}
    for number in range(ROUNDS + 1):
        for term in TERMS:
            milliseconds = get(client, "/contacts/", {"q": term})
            if number:  # the first round warms up
                took[term].append(milliseconds)
    say(f"{len(TERMS)} searches, {ROUNDS} times each")
    medians = {term or "(all)": rounded(percentile(took[term], 0.5)) for term in TERMS}
    slowest = dict(sorted(medians.items(), key=lambda each: -each[1])[:6])
    every = [milliseconds for each in took.values() for milliseconds in each]
    detail: dict[str, object] = {"contacts": CONTACTS, "p50_ms": rounded(percentile(every, 0.5)), "slowest_ms": slowest}
    yield Figure("list_p99_ms", percentile(every, 0.99), "ms", detail)
