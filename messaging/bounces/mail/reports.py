"""What a mail says about one recipient, before anyone judged what it means."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(slots=True)
class RecipientReport:
    """One recipient's fate in the mail's own words; what the mail does not say stays empty.

    `said` is the mail server's answer, `prose` what the mail tells a human about this recipient. `mail_id` is the
    Message-ID of the returned mail where the report itself names it. `said_by` is the server that refused where
    `is_by_other`, or else the one that reports.
    """

    recipient: str
    said: str = ""
    action: str = "failed"
    status_code: str = ""
    reply_code: str = ""
    said_by: str = ""
    is_by_other: bool = False
    original_recipient: str = ""
    prose: str = ""
    occurred_at: datetime | None = None
    feedback_type: str = ""
    message_id: str = ""
    # In reply to what it was said, where the mail shows that: a stage of rules/stages.toml.
    stage: str = ""
    # A form that knows what its own words mean names the reason itself; otherwise the rules decide.
    reason: str = ""
