"""Telling what mail servers' replies mean: strings a second on one core, each round on replies not seen before.

The replies are made from the examples of the rules: other addresses, host names, IP addresses, queue ids, line ends and
lengths, with and without what mail systems write around them. None comes twice. In their plain form, where these have
fallen out, they come to some 3,000 templates, and those are remembered, as they are where mail servers speak. A second
figure has a made-up word in each reply, so that no template comes twice, either.
"""

import random
import re
import statistics
import time
from collections.abc import Iterator
from typing import Final

from bench.figures import Figure, median_ratio, medians, percentile, rounded, say
from messaging.bounces.classify import classify, rules
from messaging.bounces.plain import plain

ROUNDS: Final = 5
REPLIES: Final = 50_000
ADDRESS: Final = re.compile(r"[\w.]+@[\w.-]+")
IP: Final = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b")
SYLLABLES: Final = tuple("aeiou") + tuple(c + v for c in "bdfgklmnprstvwz" for v in "aeiou")
# Most as the server said them, some as mail systems quote them.
AROUND: Final = (
    *["{}"] * 12, "smtp; {}", "{} [{host}]", "{} - {id}", "host {host}[{ip}] said: {} (in reply to RCPT TO command)",
    "SMTP error from remote mail server after RCPT TO:<{address}>: host {host} [{ip}]: {}",
    "<{address}>: host {host}[{ip}] refused to take it: {} (in reply to end of DATA command) {id}",
)  # fmt: skip


def measure(messages: int) -> Iterator[Figure]:
    del messages  # no database is asked
    chance = random.Random(20)
    started = time.perf_counter()
    rules()
    loading_ms = (time.perf_counter() - started) * 1000
    yield _figure("replies_per_second", chance, loading_ms)
    yield _figure("replies_of_new_templates_per_second", chance, loading_ms, are_templates_new=True)
    yield _against_match(chance)


def _figure(name: str, chance: random.Random, loading_ms: float, *, are_templates_new: bool = False) -> Figure:
    rates, cold, lengths = list[float](), 0.0, list[int]()
    for number in range(ROUNDS + 1):
        said = replies(chance)
        if are_templates_new:
            said = [_with_new_word(each, chance) for each in said]
        lengths += map(len, said)
        start = time.process_time()  # not what other programs take
        for each in said:
            classify(each)
        rate = len(said) / (time.process_time() - start)
        say(f"round {number} of {ROUNDS}: {rate:,.0f} replies/s")
        if number:
            rates.append(rate)
        else:
            cold = rate  # the automaton makes its states as it first needs them
    detail: dict[str, object] = {
        "replies_in_a_round": REPLIES, "rounds": ROUNDS, "median_length": statistics.median(lengths),
        "p95_length": percentile(lengths, 0.95), "first_round": rounded(cold), "loading_ms": rounded(loading_ms),
        "rules": len(rules().texts),
    }  # fmt: skip
    return Figure(name, statistics.median(rates), "replies/s", detail)


def _against_match(chance: random.Random) -> Figure:
    """The whole verdict against the bare match of the same automata, in one run: the machine falls out."""
    ours, bare = list[float](), list[float]()
    known = rules()
    for number in range(ROUNDS + 1):
        said = [_with_new_word(each, chance) for each in replies(chance)]
        raw = [plain(each).encode("utf-8", "replace") for each in said]
        start = time.process_time()
        for each in said:
            classify(each)
        between = time.process_time()
        for words in raw:
            known.first_in_words.found(words)
            known.then_in_words.found(words)
        end = time.process_time()
        if number:
            ours.append(len(said) / (between - start))
            bare.append(len(said) / (end - between))
    detail: dict[str, object] = {"rounds": ROUNDS, "replies_per_second": medians({"verdict": ours, "match": bare})}
    return Figure("replies_vs_match", median_ratio(ours, bare), "ratio", detail)


def replies(chance: random.Random) -> list[str]:
    """REPLIES different strings."""
    examples = [example for rule in rules().texts for example in rule.examples]
    found: dict[str, None] = {}
    while len(found) < REPLIES:
        found[_varied(chance.choice(examples), chance)] = None
    return list(found)


def _varied(example: str, chance: random.Random) -> str:
    said = ADDRESS.sub(lambda _: f"{_name(chance)}@{_host(chance)}", IP.sub(lambda _: _ip(chance), example))
    around = chance.choice(AROUND).replace("{}", "{said}")
    said = around.format(
        said=said,
        host=_host(chance),
        ip=_ip(chance),
        address=f"{_name(chance)}@{_host(chance)}",
        id=f"{chance.getrandbits(44):X}",
    )
    said = f"{said} {chance.randrange(10**6)}" if chance.random() < 0.5 else said
    return said.replace(" ", chance.choice(["\n", "\r\n ", "  "]), chance.randrange(3))


def _with_new_word(said: str, chance: random.Random) -> str:
    """With a word of letters, one of millions of millions, somewhere between two of its own."""
    words = said.split(" ")
    words.insert(chance.randrange(len(words) + 1), "".join(chance.choices(SYLLABLES, k=7)))
    return " ".join(words)


def _name(chance: random.Random) -> str:
    return "".join(chance.choices(SYLLABLES, k=chance.randrange(2, 5))) + chance.choice(
        ["", "", str(chance.randrange(99))]
    )


def _host(chance: random.Random) -> str:
    return ".".join(
        [*(_name(chance) for _ in range(chance.randrange(1, 4))), chance.choice(["example", "test", "invalid"])]
    )


def _ip(chance: random.Random) -> str:
    return f"{chance.choice(['192.0.2', '198.51.100', '203.0.113'])}.{chance.randrange(256)}"
