"""Django looks for the admin's classes here; they lie in support/."""

from messaging.support import counts, messages, reports

__all__ = ["counts", "messages", "reports"]
