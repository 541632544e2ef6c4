"""Mail after mail in one dialogue: each gets the answer that is its own, whatever the server does and bytes do."""

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.delivery.transports.smtp_commands import Outgoing
from messaging.delivery.transports.smtp_dialogue import Lost, Reply, SmtpDialogue
from tests.messaging.sendouts.scripted import Talk

EXTENSIONS = frozenset({"pipelining", "8bitmime", "size", "smtputf8"})
ANSWERS = {
    "fine": "250 2.0.0 taken", "mail": "550 5.7.1 not from you", "rcpt": "550 5.1.1 no such user",
    "rcpt354": "550 5.1.1 no such user", "data": "451 4.3.0 not now", "end": "552 5.3.4 too\n5.3.4 big",
    "closing": "421 4.3.2 closing",
}  # fmt: skip
DROPS = ("dropmail", "droprcpt", "dropdata", "dropend")
BODY = b"Subject: x\r\n\r\n.\r\n..dots\r\nend\r\n"


def outgoing(number: int, does: str) -> Outgoing:
    sender = {"mail": "refused@engage.example", "dropmail": "dropmail@engage.example"}.get(does, "a@engage.example")
    return Outgoing(number, 1, sender, f"{does}+{number}@there.example", BODY)


def talked(
    dialogue: SmtpDialogue, server: Talk, mails: list[Outgoing], sizes: list[int]
) -> tuple[dict[int, Reply], list[Lost], deque[Outgoing]]:
    """Until all is answered, or the server hangs up. `sizes` cut what goes either way."""
    waiting, answered = deque(mails), dict[int, Reply]()
    cuts = iter(sizes * 10_000)

    def hear(said: bytes) -> None:
        while said:
            size = next(cuts)
            for mail, reply in dialogue.hear(said[:size]):
                assert mail.message_id not in answered
                answered[mail.message_id] = reply
            said = said[size:]

    while not server.is_closed:
        while waiting and dialogue.has_room:
            dialogue.take(waiting.popleft())
        if not dialogue.unwritten:
            break
        size = next(cuts)
        said = dialogue.unwritten[:size]
        dialogue.wrote(len(said))
        hear(server.hear(said))
    refused, lost = dialogue.lost()
    answered |= {mail.message_id: reply for mail, reply in refused}
    return answered, lost, waiting


@given(
    st.lists(st.sampled_from([*ANSWERS, *DROPS, "fine", "fine", "fine"]), max_size=12),
    st.lists(st.integers(1, 400), min_size=1, max_size=5),
    st.booleans(),
)
def test_each_mail_gets_its_own_answer_and_only_what_may_have_been_taken_is_in_doubt(
    script: list[str], sizes: list[int], is_pipelining: bool
) -> None:
    server, mails = Talk(is_pipelining), [outgoing(number, does) for number, does in enumerate(script)]

    answered, lost, waiting = talked(
        SmtpDialogue(EXTENSIONS if is_pipelining else EXTENSIONS - {"pipelining"}), server, mails, sizes
    )

    assert {number: reply.text for number, reply in answered.items()} == {
        number: ANSWERS[script[number]] for number in answered
    }
    assert sorted(
        [*answered, *(each.mail.message_id for each in lost), *(each.message_id for each in waiting)]
    ) == list(range(len(script)))
    # In doubt is what came to its end, and was not answered: no more, no less.
    assert {each.mail.recipient for each in lost if each.is_outcome_unknown} == set(server.ended) - {
        mails[number].recipient for number in answered
    }
    # What is certain not to have been taken was not; what was is answered.
    assert {recipient for recipient, _raw in server.taken} == {
        mails[number].recipient for number, reply in answered.items() if reply.code == 250
    }
    assert all(raw == BODY for _recipient, raw in server.taken)


def test_an_envelope_is_one_write_and_goes_along_with_the_end_of_the_mail_before_it() -> None:
    dialogue, server = SmtpDialogue(EXTENSIONS), Talk()
    dialogue.take(outgoing(1, "fine"))
    assert dialogue.unwritten.count(b"\r\n") == 3
    said = server.hear(dialogue.unwritten)
    dialogue.wrote(len(dialogue.unwritten))

    dialogue.hear(said)
    dialogue.take(outgoing(2, "fine"))

    assert dialogue.unwritten.startswith(b"Subject: x\r\n\r\n..\r\n...dots\r\nend\r\n.\r\nMAIL FROM:")
    assert dialogue.unwritten.endswith(b"DATA\r\n")


@pytest.mark.parametrize(("written", "is_outcome_unknown"), [(-1, False), (0, True)])
def test_a_mail_whose_end_did_not_go_out_is_not_in_doubt(written: int, is_outcome_unknown: bool) -> None:
    dialogue, server = SmtpDialogue(EXTENSIONS), Talk()
    dialogue.take(outgoing(1, "fine"))
    said = server.hear(dialogue.unwritten)
    dialogue.wrote(len(dialogue.unwritten))
    dialogue.hear(said)

    dialogue.wrote(len(dialogue.unwritten) + written)

    assert dialogue.lost() == ([], [Lost(outgoing(1, "fine"), is_outcome_unknown)])


@pytest.mark.parametrize("said", [b"hello\r\n", b"25\r\n", b"250\x00ok\r\n", b"250 " + b"x" * 70_000])
def test_what_is_no_answer_ends_the_dialogue(said: bytes) -> None:
    dialogue = SmtpDialogue(EXTENSIONS)
    dialogue.take(outgoing(1, "fine"))

    assert dialogue.hear(said) == []
    assert dialogue.fault
    assert not dialogue.has_room


def test_an_answer_to_nothing_ends_the_dialogue() -> None:
    dialogue = SmtpDialogue(EXTENSIONS)

    dialogue.hear(b"250 2.0.0 taken\r\n")

    assert "an answer to nothing" in dialogue.fault


@pytest.mark.parametrize("address", ["a>\r\nRCPT TO:<b@x.example", "a b@x.example", "a>@x.example", "a\x00@x.example"])
def test_an_address_that_would_be_a_command_is_never_said(address: str) -> None:
    refusal = SmtpDialogue(EXTENSIONS).why_not(Outgoing(1, 1, "a@engage.example", address, BODY))

    assert refusal is not None
    assert refusal.code == 553


def test_only_a_server_that_takes_them_gets_addresses_beyond_ascii_and_eight_bits() -> None:
    mail = Outgoing(1, 1, "a@engage.example", "åsa@there.example", "Subject: x\r\n\r\nå\r\n".encode())
    able, unable = SmtpDialogue(EXTENSIONS), SmtpDialogue(frozenset({"pipelining"}))

    able.take(mail)

    assert able.why_not(mail) is None
    assert able.unwritten.startswith(
        f"MAIL FROM:<a@engage.example> SIZE={len(mail.mail)} BODY=8BITMIME SMTPUTF8".encode()
    )
    assert (refusal := unable.why_not(mail)) is not None
    assert "SMTPUTF8" in refusal.text


def said_about(recipient: str, extensions: frozenset[str], envelope_id: str = "a+b=c") -> list[str]:
    dialogue = SmtpDialogue(extensions)
    dialogue.take(Outgoing(1, 1, "a@engage.example", recipient, b"Subject: x\r\n\r\nx\r\n", envelope_id))
    return dialogue.unwritten.decode().split("\r\n")[:2]


def test_who_offers_it_is_asked_to_report_what_becomes_of_a_mail() -> None:
    """RFC 3461 4; what has a meaning in an xtext is written in hexadecimal."""
    assert said_about("o'neil+x=y@there.example", EXTENSIONS | {"dsn"}) == [
        "MAIL FROM:<a@engage.example> SIZE=17 RET=HDRS ENVID=a+2Bb+3Dc",
        "RCPT TO:<o'neil+x=y@there.example> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;o'neil+2Bx+3Dy@there.example",
    ]


def test_an_address_beyond_ascii_is_reported_without_the_original() -> None:
    assert said_about("åsa@there.example", EXTENSIONS | {"dsn"})[1] == (
        "RCPT TO:<åsa@there.example> NOTIFY=SUCCESS,FAILURE,DELAY"
    )


@pytest.mark.parametrize(("extensions", "envelope_id"), [(EXTENSIONS, "x"), (EXTENSIONS | {"dsn"}, "")])
def test_nobody_else_is_asked(extensions: frozenset[str], envelope_id: str) -> None:
    assert said_about("anna@there.example", extensions, envelope_id) == [
        "MAIL FROM:<a@engage.example> SIZE=17", "RCPT TO:<anna@there.example>",
    ]  # fmt: skip
