"""When the beat has what done. A task that no worker takes before the next one is due is dropped."""

from typing import Any, Final

SCHEDULE: Final[dict[str, dict[str, Any]]] = {
    "apply-what-was-left-behind": {"task": "messaging.tasks.apply_reports", "schedule": 5.0, "options": {"expires": 5}},
    "tell-that-we-are-here": {"task": "messaging.tasks.heartbeat", "schedule": 15.0, "options": {"expires": 15}},
    "prune-what-is-old": {"task": "messaging.tasks.prune", "schedule": 3600.0, "options": {"expires": 3600}},
    "drop-the-mail-of-strangers": {"task": "messaging.tasks.drop_mail", "schedule": 60.0, "options": {"expires": 60}},
    "sweep-what-fell-due": {"task": "messaging.tasks.sweep_due", "schedule": 60.0, "options": {"expires": 60}},
    "tend-the-send-outs": {"task": "messaging.tasks.tend_send_outs", "schedule": 5.0, "options": {"expires": 5}},
    "look-what-became-of-it": {
        "task": "messaging.tasks.look_at_outcomes",
        "schedule": 10.0,
        "options": {"expires": 10},
    },
    "try-again-what-was-put-off": {"task": "messaging.tasks.try_again", "schedule": 15.0, "options": {"expires": 15}},
    "look-after-the-blocks": {
        "task": "messaging.tasks.look_after_blocks",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "seek-signs-of-life": {"task": "messaging.tasks.seek_life", "schedule": 60.0, "options": {"expires": 60}},
    "carry-on-with-blocks": {"task": "contacts.tasks.carry_on", "schedule": 60.0, "options": {"expires": 60}},
    "carry-on-with-imports": {"task": "messaging.tasks.carry_on_imports", "schedule": 60.0, "options": {"expires": 60}},
    "watch-the-providers": {"task": "messaging.tasks.watch_providers", "schedule": 60.0, "options": {"expires": 60}},
}
