"""Mails that come back, read: DSNs, feedback reports, what servers say in words of their own, automatic replies."""
