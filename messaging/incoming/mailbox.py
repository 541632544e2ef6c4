"""One session with an IMAP mailbox (RFC 3501, 9051): what lies in its folder is kept, then put away.

A mail leaves the folder, or is marked as seen, only after it is committed: killed in between, it is kept once more, and
its events drop out as repeats. What is to be done is what lies there; so no UID is remembered, except of mails that
could not be put away, as long as UIDVALIDITY says that it still is the same mail's.
"""

import logging
import ssl
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Event
from time import monotonic
from typing import Any, Final

from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import IMAPClientError, LoginError

from messaging.inbox.reports import Kept
from messaging.inbox.writer import ReportWriter
from messaging.incoming import mails
from messaging.incoming.mailboxes import Mailbox
from messaging.incoming.reconnect import EndedError, PeerRefusedError
from messaging.incoming.room import Room

log: Final = logging.getLogger(__name__)

CONNECT_SECONDS: Final = 10.0
ANSWER_SECONDS: Final = 60.0
# RFC 2177: at least every 29 minutes; sooner, a line that is dead without telling is noticed.
IDLE_SECONDS: Final = 300.0
# Without IDLE.
POLL_SECONDS: Final = 30.0
# How late a stop is noticed.
LOOK_SECONDS: Final = 1.0
# Whose size is asked for at once; what is fetched and committed at once.
MOST_MAILS: Final = 100
MOST_BYTES: Final = 4 * 1024 * 1024
# A bounce says what it has to say at its beginning; of a longer mail no more is fetched.
LONGEST: Final = MOST_BYTES
SIZE, CAME_AT = b"RFC822.SIZE", b"INTERNALDATE"


@dataclass(slots=True)
class MailboxMemory:
    """What is to be known of a mailbox from one session to the next: the mails that are kept and still lie there."""

    validity: int = 0
    kept: set[int] = field(default_factory=set)

    def enter(self, validity: int) -> None:
        if validity != self.validity:
            self.validity, self.kept = validity, set()


@dataclass(frozen=True, slots=True)
class MailboxMail:
    """A mail that lies there."""

    uid: int
    size: int
    came_at: datetime | None


class ImapSession:
    """From the log-in to the end."""

    def __init__(self, mailbox: Mailbox, inbox: ReportWriter, known: MailboxMemory, stop: Event) -> None:
        self._mailbox = mailbox
        self._inbox = inbox
        self._known = known
        self._stop = stop
        self._room = Room()
        self._done = mailbox.done

    def run(self) -> None:
        """Until it is to stop. Raises EndedError."""
        try:
            with _connected(self._mailbox) as client:
                self._log_in(client)
                self._enter(client)
                log.info("IMAP %s: reading %s at %s.", self._mailbox.name, self._mailbox.folder, self._mailbox.host)
                while not self._stop.is_set():
                    self._empty(client)
                    self._wait(client)
        except ssl.SSLCertVerificationError as error:
            raise EndedError(
                f"the certificate of {self._mailbox.host} is not trusted ({error.verify_message}); name its own with "
                "ca=/path/to/ca.pem in IMAP_URLS"
            ) from error
        except OSError as error:
            raise EndedError(
                f"the line to {self._mailbox.host} broke ({error.strerror or type(error).__name__})"
            ) from error
        except IMAPClientError as error:
            raise EndedError(f"the server said no or nothing ({_words(error)})") from error

    def _log_in(self, client: IMAPClient) -> None:
        try:
            client.login(self._mailbox.user, self._mailbox.password)
        except LoginError as error:
            raise PeerRefusedError(f"the log-in is refused ({_words(error)}); check IMAP_URLS") from error

    def _enter(self, client: IMAPClient) -> None:
        if self._done:
            self._done = _made(client, self._done)
        try:
            said = client.select_folder(self._mailbox.folder)
        except IMAPClientError as error:
            raise PeerRefusedError(f"there is no folder {self._mailbox.folder!r}; correct it in IMAP_URLS") from error
        self._known.enter(int(said.get(b"UIDVALIDITY", 0)))

    def _empty(self, client: IMAPClient) -> None:
        """Keep what lies there, and put it away."""
        criteria = ["UNDELETED"] if self._done else ["UNDELETED", "UNSEEN"]
        there = client.search(criteria)
        self._put_away(client, [uid for uid in there if uid in self._known.kept])
        new = [uid for uid in there if uid not in self._known.kept]
        for start in range(0, len(new), MOST_MAILS):
            for some in _in_portions(_looked_at(client, new[start : start + MOST_MAILS])):
                if self._stop.is_set():
                    return
                self._keep(client, some)

    def _keep(self, client: IMAPClient, found: Sequence[MailboxMail]) -> None:
        if self._room.is_full():
            raise EndedError("the mail stays there until what was taken before has been read")
        uids = [each.uid for each in found]
        said = client.fetch(uids, [f"BODY.PEEK[]<0.{LONGEST}>"])
        # What is missing has been taken away by somebody else meanwhile.
        kept = [self._mail(each, said[each.uid]) for each in found if each.uid in said]
        if not self._inbox.keep_all(kept):
            raise EndedError("nothing was put away, as PostgreSQL took no mail")
        self._inbox.wake_worker()
        self._known.kept.update(uids)
        self._put_away(client, uids)

    def _mail(self, found: MailboxMail, said: Mapping[bytes, Any]) -> Kept:
        # Under a name that servers write in one way or another.
        body = next(value for name, value in said.items() if name.startswith(b"BODY["))
        whole_size = found.size if len(body) >= LONGEST else 0
        return mails.kept(body, f"imap/{self._mailbox.name}", arrived_at=found.came_at, whole_size=whole_size)

    def _put_away(self, client: IMAPClient, uids: Sequence[int]) -> None:
        if not uids:
            return
        if not self._done:
            client.add_flags(uids, [rb"\Seen"], silent=True)
        elif client.has_capability("MOVE"):
            client.move(uids, self._done)
        else:
            client.copy(uids, self._done)
            client.delete_messages(uids, silent=True)
            # Without UIDPLUS it would take away what others have marked as deleted, too.
            if client.has_capability("UIDPLUS"):
                client.uid_expunge(uids)
        self._known.kept.difference_update(uids)

    def _wait(self, client: IMAPClient) -> None:
        """Until something has come, or it is to stop, or it is time to look by ourselves."""
        if not client.has_capability("IDLE"):
            self._stop.wait(POLL_SECONDS)
            return
        client.idle()
        until = monotonic() + IDLE_SECONDS
        while not self._stop.is_set() and (now := monotonic()) < until:
            # It also comes back at once where the line is closed, which idle_done then tells.
            if client.idle_check(LOOK_SECONDS) or monotonic() - now < LOOK_SECONDS / 2:
                break
        client.idle_done()


def _connected(mailbox: Mailbox) -> IMAPClient:
    context = ssl.create_default_context(cafile=mailbox.ca or None)
    client = IMAPClient(
        mailbox.host,
        mailbox.port,
        ssl=mailbox.is_encrypted,
        ssl_context=context if mailbox.is_encrypted else None,
        timeout=SocketTimeout(CONNECT_SECONDS, ANSWER_SECONDS),
    )
    client.normalise_times = False
    if mailbox.is_starttls:
        client.starttls(context)
    return client


def _made(client: IMAPClient, folder: str) -> str:
    """The folder's whole name, made if need be: some servers want all folders below INBOX (RFC 2342). EndedError."""
    names = [folder]
    if client.has_capability("NAMESPACE"):
        with suppress(IMAPClientError, IndexError, TypeError):
            prefix = str(client.namespace().personal[0][0])
            names = list(dict.fromkeys([folder if folder.startswith(prefix) else prefix + folder, folder]))
    for name in names:
        with suppress(IMAPClientError):
            if not client.folder_exists(name):
                client.create_folder(name)
            return name
    raise EndedError(f"the folder {folder!r} cannot be made; make it, or name another one with done=… in IMAP_URLS")


def _looked_at(client: IMAPClient, uids: Sequence[int]) -> Iterator[MailboxMail]:
    if uids:
        said: dict[int, dict[bytes, Any]] = client.fetch(uids, [SIZE, CAME_AT])
        for uid in uids:
            if uid in said:
                yield MailboxMail(uid, int(said[uid].get(SIZE, 0)), _aware(said[uid].get(CAME_AT)))


def _aware(at: datetime | None) -> datetime | None:
    return at.astimezone(UTC) if at is not None and at.tzinfo is not None else None


def _in_portions(found: Iterable[MailboxMail]) -> Iterator[list[MailboxMail]]:
    """What is held in memory at once."""
    portion: list[MailboxMail] = []
    size = 0
    for each in found:
        held = min(each.size, LONGEST)
        if portion and size + held > MOST_BYTES:
            yield portion
            portion, size = [], 0
        portion.append(each)
        size += held
    if portion:
        yield portion


def _words(error: Exception) -> str:
    """The server's, without line ends, and cut: they are a stranger's."""
    said = error.args[0] if error.args else type(error).__name__
    text = said.decode("ascii", "replace") if isinstance(said, bytes) else str(said)
    return "".join(sign if sign.isprintable() else " " for sign in text)[:200].removeprefix("b'").removesuffix("'")
