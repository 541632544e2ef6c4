"""How bounce mail comes in: a mail server (server.py), IMAP mailboxes (mailbox.py), a pipe.

Each mail is kept as a report before anybody is told that we have it; providers/mail.py reads it.
"""
