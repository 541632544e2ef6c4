"""Stays with the mailboxes of IMAP_URLS, each in a thread of its own."""

from collections.abc import Callable, Iterable
from threading import Event, Thread

from django.db import connections as databases

from messaging.inbox.writer import ReportWriter
from messaging.incoming.mailbox import ImapSession, MailboxMemory
from messaging.incoming.mailboxes import Mailbox
from messaging.incoming.reconnect import stay


def read_all(mailboxes: Iterable[Mailbox], stop: Event) -> list[Thread]:
    """A thread for each mailbox, started; they end once `stop` is set."""
    threads = [
        Thread(target=stay, args=(f"IMAP {each.name}", session_of(each, stop), stop), name=each.name)
        for each in mailboxes
    ]
    for thread in threads:
        thread.start()
    return threads


def session_of(mailbox: Mailbox, stop: Event) -> Callable[[], None]:
    """What makes one session after the other."""
    known = MailboxMemory()

    def session() -> None:
        try:
            ImapSession(mailbox, ReportWriter(f"IMAP {mailbox.name}"), known, stop).run()
        finally:
            databases.close_all()

    return session
