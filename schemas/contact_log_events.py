"""The lines about contacts: how their statuses change, and what became of the mail that they were sent."""

from schemas.log_event import LogEvent
from schemas.log_event import log_event as _event

CONTACT_LOG_EVENTS: dict[str, LogEvent] = {
    "contacts.looked_at": _event(
        "info",
        "Contacts are looked through for addresses in the spelling of a former version. Logged every few seconds.",
        "contact_id",
        "last_contact_id",
        "renamed",
        "joined",
    ),
    "contacts.respelled": _event(
        "info",
        "Contacts that a former version stored under another spelling of their address were renamed, or joined with "
        "the contact that has today's spelling. Those counted in `no_address` stay as they are.",
        "renamed",
        "joined",
        "no_address",
    ),
    "sendings.counted": _event(
        "info",
        "What became of mail from one sending domain in the last minute. Logged only if something came in. Events that "
        "happened over a day before are left out. `sending_domain` is empty if the vendor does not name it with each "
        "of these events. It is `(more)` beyond 200 domains of an account at a source or 20,000 in all that a process "
        "has met in a day.",
        "account",
        "source",
        "provider",
        "sending_domain",
        "delivered",
        "hard_bounces",
        "soft_bounces",
        "blocked",
        "complaints",
    ),
    "status.changed": _event(
        "info",
        "A contact's status has changed. `cause`, `rule` and `actor` say why; `old_blocks` and `new_blocks` say which "
        "mail was and is forbidden. `source`, `provider` and `age_seconds` are null if no webhook brought the change.",
        "contact_id",
        "contact",
        "account",
        "channel",
        "old_status",
        "new_status",
        "old_blocks",
        "new_blocks",
        "cause",
        "rule",
        "until",
        "actor",
        "source",
        "provider",
        "domain",
        "mailbox_provider",
        "age_seconds",
        remedy="`bouncekeeper explain ADDRESS` shows the whole story of the contact.",
    ),
    "sweep.applied": _event("info", "Holds that ended by themselves were written to the history.", "contacts"),
}
