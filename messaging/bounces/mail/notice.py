"""Bounces in plain words of any mail system: the last resort, when neither a DSN nor a known form is there.

Nothing here knows a vendor. A mail is taken for a bounce by what all have in common (a mail server wrote it, and it
says that a mail was not delivered), and its recipients are the addresses which it names in the places where bounces
name them. What fits that only half is left alone: an ordinary mail must not become a bounce.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from messaging.bounces.mail.dates import moment_of
from messaging.bounces.mail.parsed import ADDRESS, ParsedMail
from messaging.bounces.mail.prose import Prose, is_from_daemon
from messaging.bounces.mail.reports import Report

# That a mail was not delivered, in the subjects and texts of the world's mail servers.
FAILED: Final = re.compile(
    r"undeliver|un-?deliver|not? (?:be |been |being )?(?:able to (?:be )?)?(?:deliver|reach|accept|sent|complet)|deliver\w* (?:\w+ )?(?:status|fail|problem|error|"
    r"impossible|notification|report|incomplete|unsuccessful|abort|attempt)|fail\w* (?:to )?(?:deliver|mail|address|recipient|permanent)|"
    r"(?:unable|failed|attempted|trying) to (?:send|deliver|relay|forward|reach|store)|return\w* (?:\w+ )?(?:mail|message|e-?mail|to (?:the )?sender|unopened)|failure notice|"
    r"mail\w*(?: \w+)? (?:fail|error|reject|bounc)|(?:message|mail|e-?mail)\w* (?:\w+ ){0,4}?(?:rejected|bounced|refused|blocked|returned|undeliver)|non[- ]?(?:deliver|remis|recap)|"
    r"couldn.t be|could ?not be|cannot be (?:deliver|sent|found)|did(?: not|n.t) reach|wasn.t deliver|was not deliver|"
    r"(?:unknown|no such|invalid|nonexistent) (?:user|recipient|mailbox|address|account|host|domain)|(?:user|recipient|mailbox|host|domain|account)\b.{0,40}(?:unknown|not found|full|exceed|does ?n.t exist|over ?quota|disabled|unavailable)|"
    r"permanent (?:\w+ )?(?:error|failure)|"
    r"unzustellbar|nicht (?:\w+ )?(?:zugestellt|zustell|ausgeliefert|übermittelt|versendet|erreicht)|zustell\w*fehl|zustellung|fehlgeschlagen|"
    r"non remis|pas (?:pu |été )*(?:\w+ )?(?:remis|délivr|delivr|distribu|achemin|transmis|envoy)|échec|impossible de (?:remettre|délivrer)|non distribu|erreur de|"
    r"mancat[ao] (?:recapito|consegna)|non (?:è stato possibile|può essere|recapit|consegn)|impossibile (?:recapitare|consegnare)|"
    r"no (?:se )?(?:ha |pudo |puede )?(?:podido )?(?:ser )?(?:entreg|enviad|recibi)|devuelto|error (?:de|en la|al) (?:entrega|env)|no entregado|"
    r"não (?:foi |pôde |pode )?(?:possível |ser )*(?:entreg|enviad)|nao (?:foi |pode )?(?:ser )?(?:entreg|enviad)|falha (?:na|de|no)|devolvid|"
    r"onbestelbaar|niet (?:\w+ )?(?:afgeleverd|bezorgd|worden)|kan inte|kunde inte|kunne ikke|ikke (?:leveres|leveret|levert)|olevererbart|leverans|"
    r"toimit|perille|не (?:был[оаи]? |может быть |удалось )?(?:доставл|доставить|принят)|недостав|невозможно доставить|возвра[тщ]|ошибка (?:при )?доставк|"
    r"nie (?:\w+ )?(?:dostarcz|doręcz)|niedoręcz|niedostarcz|zwrot|nedoruč|nelze doručit|nem (?:\w+ )?kézbesít|kézbesíthetetlen|"
    r"iletilem|teslim edilem|gönderilem|配信|配達|届[きけ]|送信(?:でき|失敗|エラー)|戻り|宛先|不達|エラーメール|"
    r"退信|退回|投递|投遞|无法(?:投|送|发)|無法(?:投|送|傳)|发送失败|未送达|未能|전송|반송|배달|수신.{0,8}(?:실패|거부)|לא נמסר|لم يتم|تعذر|ตีกลับ|ส่งไม่",
    re.IGNORECASE,
)
# It is still being tried: nothing has failed yet.
STILL_TRYING: Final = re.compile(
    r"delay(?:ed)?\b|still (?:being )?(?:re-?tr|try)|not yet been|has(?:n.t| not) (?:yet )?been delivered|will (?:be )?(?:re-?tr(?:y|ied)|keep (?:on )?try|continue|attempt)|"
    r"attempts? (?:to deliver (?:\w+ )*)?will (?:be )?(?:continue|made)|warning message only|warning only|do not need to resend|postponed|only a warning|just a warning|"
    r"verzöger|wird (?:weiter|erneut)|retard[ée]|différ|ritard|retras|atras|задерж|遅延|延迟|延遲|지연",
    re.IGNORECASE,
)
GAVE_UP: Final = re.compile(
    r"gave up|given up|giving up|permanent|(?:has been |was )?(?:abort|removed from|expired|timed? ?out after|not be retried|no longer|returned to)|undeliverable|"
    r"failed (?:after|permanently)|could not be delivered (?:to|for) (?!.{0,200}will)|final",
    re.IGNORECASE,
)
DELIVERED: Final = re.compile(
    r"success(?:ful(?:ly)?)? (?:mail )?(?:deliver|relay)|(?:was|been) (?:successfully )?(?:delivered|relayed) (?:to|by)|delivery (?:report )?\(?success|delivery confirm",
    re.IGNORECASE,
)
ANSWERED: Final = re.compile(
    r"^\s*(?:re|aw|sv|antw|vs|res?p|fwd?|wg|tr|rv|enc|回复|答复|转发|回覆|轉寄)\s*(?:\[\d+\])?\s*[:：]", re.IGNORECASE
)
# A line on which an address is not a recipient but a sender, a helper, a header.
OF_OTHERS: Final = re.compile(
    r"^\W*(?:from|sender|message[- ]?id|reply[- ]to|subject|betreff|absender|von|de\b|expéditeur|da\b|mittente|od\b|от\b|差出人|发件人|寄件者|return-path|cc|received|"
    r"date|sent|server|host|queue|id)\b[^\n]{0,40}?[:=：]|mail from:|from <|contact|postmaster@|mailer-daemon@|help(?:desk)?@|support@|abuse@|mailto:|https?://|\bfrom:",
    re.IGNORECASE,
)
# Where bounces name a recipient: at the begin of a line, after RCPT TO, after a label.
IN_PLACE: Final = re.compile(
    r"(?:^[ \t>*\-•·|]*(?:\[?smtp:)?[<\"'\[(]?|rcpt to: ?<|\b(?:to|an|à|a|recipients?|addressee?s?|address\w*|user|empfänger|destinataires?|destinatari[oa]s?|recipiente|"
    r"mottagare|odbiorcy?|получател\w*|адрес\w*|адресат\w*|mailbox|for|error-for|mail)\b[ \t]*[:=]?[ \t\[]*(?:smtp:)?[<\"'\[(]?|[:：][ \t]*[<\"'\[(]?)$",
    re.IGNORECASE,
)
RECIPIENT_HEADERS: Final = (
    "to",
    "cc",
    "delivered-to",
    "x-original-to",
    "x-envelope-to",
    "envelope-to",
    "x-rcpt-to",
    "resent-to",
    "x-hmxmroriginalrecipient",
)
RECEIVED_FOR: Final = re.compile(r"\bfor\s+<?([^\s<>;]+@[^\s<>;]+)>?")
MOST_RECIPIENTS: Final = 500
LONGEST_LOOK: Final = 20_000


def read(mail: ParsedMail) -> list[Report]:
    """A report for each recipient that the text names; empty where this is no bounce, or nobody is named."""
    if not is_notice(mail):
        return []
    recipients = recipients_of(mail)
    prose = Prose(mail, recipients)
    action, when = action_of(mail), moment_of(mail.headers.get("date"))
    return [
        Report(recipient, action=action, prose=prose.about(recipient), occurred_at=when) for recipient in recipients
    ]


def is_notice(mail: ParsedMail) -> bool:
    """Whether a mail server tells of a mail that it could not deliver."""
    subject, text = mail.subject, mail.text[:LONGEST_LOOK]
    by_subject = bool(FAILED.search(subject) or STILL_TRYING.search(subject))
    by_text = bool(FAILED.search(text) or STILL_TRYING.search(text))
    if is_from_daemon(mail):
        return by_subject or by_text
    is_personal = bool(ANSWERED.match(subject)) or not {"list-id", "list-unsubscribe"}.isdisjoint(mail.headers.fields)
    return (
        by_subject and by_text and not is_personal and (mail.returned is not None or "auto-submitted" in mail.headers)
    )


def action_of(mail: ParsedMail) -> str:
    """Failed, delayed (still being tried) or delivered."""
    subject, text = mail.subject, mail.text[:LONGEST_LOOK]
    if DELIVERED.search(subject) and not FAILED.search(text):
        return "delivered"
    if STILL_TRYING.search(subject) or (STILL_TRYING.search(text) and not GAVE_UP.search(subject + "\n" + text)):
        return "delayed"
    return "failed"


def recipients_of(mail: ParsedMail) -> list[str]:
    """Whom the notice says it did not reach, in the order of the text."""
    if failed := mail.headers.all("x-failed-recipients"):
        return list(dict.fromkeys(match[0] for value in failed for match in ADDRESS.finditer(value)))
    named = list(_named(mail))
    of_returned = _recipients_of_returned(mail)
    for choice in (
        [address for address, _ in named if address.lower() in of_returned],
        [address for address, is_in_place in named if is_in_place],
        [address for address, _ in named],
        list(of_returned.values()) if len(of_returned) == 1 else [],
    ):
        if choice:
            return list({address.lower(): address for address in reversed(choice)}.values())[::-1][:MOST_RECIPIENTS]
    return []


def _named(mail: ParsedMail) -> Iterator[tuple[str, bool]]:
    """Addresses of the text that may be recipients, and whether each stands where bounces name them."""
    strangers = set(_senders(mail))
    for line in mail.text[:LONGEST_LOOK].split("\n"):
        if "@" not in line:
            continue
        is_of_others = bool(OF_OTHERS.search(line))
        for match in ADDRESS.finditer(line[:1000]):
            address = match[0].strip("'`*")
            if address.lower() not in strangers and not is_of_others:
                yield address, bool(IN_PLACE.search(line[: match.start()]))


def _senders(mail: ParsedMail) -> Iterable[str]:
    """The mail server, we who sent the mail, and whom the bounce went to: none of them is the recipient."""
    headers = (mail.headers, mail.returned.headers if mail.returned else None)
    for block in filter(None, headers):
        for name in ("from", "sender", "return-path", "reply-to", "errors-to"):
            if address := block.address(name):
                yield address.lower()
    for name in ("to", "delivered-to", "x-original-to"):
        if address := mail.headers.address(name):
            yield address.lower()


def _recipients_of_returned(mail: ParsedMail) -> dict[str, str]:
    """Lower-cased address -> address, of those to whom the returned mail went."""
    if not mail.returned:
        return {}
    headers = mail.returned.headers
    found = [
        match[0]
        for name in RECIPIENT_HEADERS
        for value in headers.all(name)[:3]
        for match in ADDRESS.finditer(value[:LONGEST_LOOK])
    ]
    if not found:
        found = [match[1] for value in headers.all("received")[:1] for match in RECEIVED_FOR.finditer(value)]
    return {address.lower(): address for address in found[:MOST_RECIPIENTS]}
