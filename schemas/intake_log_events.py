"""The lines of what takes webhooks and mails in: receivers, mailboxes and their connections."""

from schemas.log_event import LogEvent
from schemas.log_event import log_event as _event

_MAIL = ("source", "provider", "uid")

INTAKE_LOG_EVENTS: dict[str, LogEvent] = {
    "certificate.fetched": _event("info", "A vendor's signing certificate was fetched over https.", "url"),
    "connection.cut_off": _event(
        "warning",
        "Connections were turned away, closed to make room for others, or cut off because their requests came too "
        "slowly or in too many pieces. The first of each `reason` is logged at once, then their number once a minute. "
        "`remote_address` is that of the first one.",
        "role",
        "reason",
        "detail",
        "count",
        "open",
        "remote_address",
        remedy="A few are normal, and `bouncekeeper_connections_cut_off_total` counts all of them. If there are many, "
        "find out who opens the connections, and block that address at the proxy or a firewall "
        "([what is cut off when](configuration.md#who-may-keep-a-port-busy)).",
        remedies={
            "no_room": "Genuine callers are turned away. Add receivers, or raise `connections.max_open` and the limit "
            "of open files.",
            "no_room_for_address": "Genuine callers are turned away if they share an address: name your proxy in "
            "`trusted_proxies`, or raise `connections.max_per_address`.",
            "made_room": "The connection that kept us waiting longest was closed for a new one. Find out who opens so "
            "many.",
        },
    ),
    "connections.limited": _event(
        "warning",
        "The system allows this process too few open files for `connections.max_open`, so it keeps fewer connections.",
        "role",
        "max_open",
        "open_files",
        remedy="Raise the hard limit of open files (systemd: LimitNOFILE; a shell: `ulimit -n`), and start the process "
        "again.",
    ),
    "mail.fetched": _event(
        "info",
        "The queue has confirmed a mail of an IMAP mailbox. It is flagged, moved or deleted next.",
        *_MAIL,
        "body_bytes",
        "dkim_pass",
    ),
    "mail.passed_over": _event(
        "warning",
        "A mail cannot be queued and stays in its mailbox. Logged once while the process runs.",
        *_MAIL,
        "reason",
        "body_bytes",
        remedy="Read the mail in its mailbox, and move it away or delete it. `reason` says which limit it is over.",
    ),
    "mail.postponed": _event(
        "info",
        "The key of a mail's DKIM signature could not be looked up. The mail is fetched again later.",
        *_MAIL,
        "reason",
        remedy="If it comes again and again, check the machine's DNS: `bouncekeeper doctor` tries it.",
    ),
    "mailbox.emptied": _event(
        "info",
        "A mailbox has no more new mail. Logged only if there was some.",
        "source",
        "queued",
        "postponed",
        "passed_over",
        "seconds",
    ),
    "mailbox.lost": _event(
        "warning",
        "An IMAP server is away, or refuses the login. Its mail waits there. Logged once a minute while it lasts.",
        "source",
        "reason",
        "wait_seconds",
        remedy="Run `bouncekeeper doctor`: it says whether the server is away or refuses the login. The process tries "
        "again by itself.",
    ),
    "mailbox.not_configured": _event(
        "warning",
        "No source has a mailbox, so this process has nothing to do and waits.",
        remedy="Give a source an `imap_host`, or do not start `bouncekeeper mailbox`.",
    ),
    "mailbox.opened": _event(
        "info", "A mailbox on an IMAP server is open.", "source", "address", "folder", "mails", "idle"
    ),
    "parcel.failed": _event(
        "error",
        "A parcel could not be queued because of a bug of ours. Its webhooks are answered 503, and the vendors send "
        "them again.",
        "envelopes",
        remedy="Please report it, with the traceback in the line. Run `bouncekeeper doctor` to see whether the queue "
        "itself is well.",
    ),
    "parcel.published_again": _event(
        "warning",
        "The queue did not confirm a parcel, which is published again. Duplicates change nothing.",
        "envelopes",
        "detail",
        remedy="One now and then is harmless. If there are many, look at RabbitMQ's log, and at its disk and alarms.",
    ),
    "subscription.confirmed": _event(
        "info", "A vendor's subscription is confirmed: its webhooks arrive from now on.", "source", "topic"
    ),
    "unsubscribe.refused": _event(
        "warning",
        "Somebody opened an unsubscribe link whose token is not ours, was cut short, or was made with a secret that is "
        "no longer configured. The token is not logged.",
        "reason",
        "detail",
        "http_status",
        "remote_address",
        remedy="If recipients of yours meet it, add the former secret to `unsubscribe.secrets` again: links in old "
        "mail need it. Compare with a link that `bouncekeeper unsubscribe-link` makes.",
    ),
    "webhook.accepted": _event(
        "info",
        "A webhook is authentic, the queue has confirmed it, and the answer is a success.",
        "source",
        "provider",
        "body_bytes",
        "http_status",
        "seconds",
        "remote_address",
    ),
    "webhook.answered": _event(
        "info",
        "An authentic request without an event (a handshake, a test) is answered. Nothing is queued.",
        "source",
        "provider",
        "reason",
        "detail",
        "body_bytes",
        "http_status",
        "seconds",
    ),
    "webhook.failed": _event(
        "error",
        "A webhook hit a bug of ours. It is not lost: the vendor is told to send it again.",
        "source",
        "provider",
        "body_bytes",
        remedy="Please report it, with the traceback in the line. The vendor goes on sending it: after an upgrade that "
        "mends the bug it is accepted.",
    ),
    "webhook.postponed": _event(
        "warning",
        "A webhook could not be stored, mostly because queue and Postgres were both away; or what it needs could not "
        "be fetched from the vendor. The vendor is told to send it again.",
        "source",
        "provider",
        "reason",
        "detail",
        "body_bytes",
        "http_status",
        "seconds",
        remedy="Run `bouncekeeper doctor`, and mend what `detail` names soon: SNS gives up within the hour, other "
        "vendors later.",
    ),
    "webhook.refused": _event(
        "warning",
        "A request is not authentic, too large, too slow or for an unknown source. Nothing is queued.",
        "source",
        "provider",
        "reason",
        "detail",
        "body_bytes",
        "http_status",
        "seconds",
        "remote_address",
        remedy="A handful a day from strangers is normal. If they come from the ESP itself, compare its key and URL "
        "with `bouncekeeper sources list` at once, because events get lost: Postmark and SNS do not send again after a "
        "4xx.",
        remedies={
            "ambiguous_form": "The bytes of a form could be split into other fields than those posted (Twilio, "
            "Mandrill): somebody has seen a webhook and made a forgery from it. If it comes from the ESP, it has "
            "changed its forms: report it.",
            "bad_credentials": "User and password match no secret of the source. Add the ESP's new key beside the old "
            "one, before you change it at the ESP.",
            "bad_timestamp": "The signed time is not in the ESP's format. If it comes from the ESP, it has changed its "
            "format, or a description lacks `timestamp_format`. Otherwise somebody has seen a webhook and made a "
            "forgery from it.",
            "replayed_token": "Somebody has seen a webhook and sent another event with its signature. Find out where, "
            "and renew the signing key.",
            "stale": "The signed time is too old, or ahead of this machine's clock. Compare the clocks. If the ESP "
            "repeats a webhook with its old signature, raise `max_age_seconds` of the source.",
            "unknown_source": "The URL at the ESP does not match the name of a source, or a stranger tries URLs.",
        },
    ),
}
