"""The sources: whether each still reports, what it is refused for, and which of its words are unknown."""

from deploy.dashboards.generator.board import Board
from deploy.dashboards.generator.log_query import WHOLE, lines, or_zero
from deploy.dashboards.generator.metric_query import series
from deploy.dashboards.generator.panel import Kind, Panel, shows
from worker.process import metrics

_TITLE = "Bouncekeeper: sources"
_ACCEPTED = lines("webhook.accepted")
_REFUSED = lines("webhook.refused")
_SILENCE_SAYS = (
    "Bars where the source was heard, gaps where it was silent. "
    "A gap while its mail goes out means that the webhook at the ESP is switched off or points elsewhere."
)
_REFUSED_SAYS = (
    "Why requests were refused. A wrong signature on all of a source's requests means that its secret here is not the "
    "one at the ESP: run `bouncekeeper sources test`."
)
_MAILBOX_SAYS = (
    "What was fetched from mailboxes. If a mailbox is lost, run `bouncekeeper doctor`: its mail waits there."
)

LOGS = Board(
    name="sources",
    title=_TITLE,
    says="Whether each source still reports, what it is refused for, and which of its words are unknown.",
    source="loki",
    since="now-24h",
    panels=(
        Panel(
            title="Last webhook of each source",
            says=(
                "When each source was last heard, within the time shown; a source that is missing was silent for all "
                "of it. If its mail goes out, look at its webhook settings at the ESP."
            ),
            kind=Kind.TABLE,
            unit="dateTimeFromNow",
            targets=(shows(_ACCEPTED.last_seen("source", "provider"), "{{source}}"),),
        ),
        Panel(
            title="Heard and silent",
            says=_SILENCE_SAYS,
            kind=Kind.BARS,
            unit="short",
            targets=(shows(_ACCEPTED.count("source"), "{{source}}"),),
        ),
        Panel(
            title="Refused, by source and reason",
            says=_REFUSED_SAYS,
            kind=Kind.BARS,
            unit="short",
            targets=(shows(or_zero(_REFUSED.count("source", "reason")), "{{source}} {{reason}}"),),
        ),
        Panel(
            title="Who was refused",
            says=(
                "The addresses with the most refused requests over the time shown. "
                "An ESP's own address here means a wrong secret; a stranger's may be blocked at the proxy."
            ),
            kind=Kind.TABLE,
            unit="short",
            targets=(
                shows(
                    f"topk(20, {_REFUSED.count('remote_address', 'source', 'reason', over=WHOLE)})",
                    "{{remote_address}}",
                ),
            ),
        ),
        Panel(
            title="Handshakes and tests, by source",
            says=(
                "Authentic requests without an event, such as a handshake or a test from the ESP's page. "
                "After a change at the ESP one is expected; if none comes, the ESP posts elsewhere."
            ),
            kind=Kind.BARS,
            unit="short",
            targets=(
                shows(or_zero(lines("webhook.answered").count("source", "reason")), "{{source}} {{reason}}"),
                shows(or_zero(lines("subscription.confirmed").count("source")), "{{source}} subscription confirmed"),
            ),
        ),
        Panel(
            title="Unknown words",
            says=(
                "Names of events and classes that this version does not know, over the time shown; they change nobody. "
                "Check whether a newer version knows them."
            ),
            kind=Kind.TABLE,
            unit="short",
            targets=(
                shows(
                    lines("event.unknown").total("count", "source", "provider", "vendor_event", over=WHOLE),
                    "{{source}} {{vendor_event}}",
                ),
            ),
        ),
        Panel(
            title="Mailboxes",
            says=_MAILBOX_SAYS,
            kind=Kind.BARS,
            unit="short",
            targets=(
                shows(or_zero(lines("mailbox.emptied").total("queued", "source")), "{{source}} queued"),
                shows(or_zero(lines("mailbox.emptied").total("postponed", "source")), "{{source}} postponed"),
                shows(
                    or_zero(lines("mail.passed_over").count("source", "reason")), "{{source}} passed over: {{reason}}"
                ),
                shows(or_zero(lines("mailbox.lost").count("source")), "{{source}} lost"),
            ),
        ),
        Panel(
            title="Bytes accepted, by source",
            says=(
                "The size of the webhooks that were accepted. "
                "A source with far more bytes than events is set to send more than you need."
            ),
            kind=Kind.CURVES,
            unit="bytes",
            targets=(shows(_ACCEPTED.total("body_bytes", "source"), "{{source}}"),),
        ),
        Panel(
            title="Warnings and errors",
            says=("The lines themselves, of all processes. docs/log-events.md tells what each means, and what to do."),
            kind=Kind.LINES,
            unit="",
            targets=(shows(lines().where("level", "=~", "warning|error").shown("reason", "detail")),),
            width=24,
            height=10,
        ),
    ),
)

METRICS = Board(
    name="sources",
    title=f"{_TITLE} (metrics)",
    says="Whether each source still reports, and what it is refused for.",
    source="prometheus",
    since="now-24h",
    panels=(
        Panel(
            title="Heard and silent",
            says=_SILENCE_SAYS,
            kind=Kind.BARS,
            unit="cps",
            targets=(shows(series(metrics.WEBHOOKS).where("outcome", "=", "accepted").rate("source"), "{{source}}"),),
        ),
        Panel(
            title="Refused, by source and reason",
            says=_REFUSED_SAYS,
            kind=Kind.BARS,
            unit="cps",
            targets=(
                shows(
                    series(metrics.WEBHOOKS).where("outcome", "=", "refused").rate("source", "reason"),
                    "{{source}} {{reason}}",
                ),
            ),
        ),
        Panel(
            title="Bytes accepted, by source",
            says=LOGS.panels[7].says,
            kind=Kind.CURVES,
            unit="Bps",
            targets=(shows(series(metrics.WEBHOOK_BODY_BYTES).rate("source"), "{{source}}"),),
        ),
        Panel(
            title="Mails fetched",
            says=_MAILBOX_SAYS,
            kind=Kind.BARS,
            unit="cps",
            targets=(shows(series(metrics.FETCHED_MAILS).rate("source", "outcome"), "{{source}} {{outcome}}"),),
        ),
        Panel(
            title="Mailboxes that are open",
            says="It is 1 while a mailbox is open, 0 while its server is away. `bouncekeeper doctor` says why.",
            kind=Kind.CURVES,
            unit="bool_yes_no",
            targets=(shows(series(metrics.MAILBOX_AVAILABLE).lowest("source"), "{{source}}"),),
        ),
        Panel(
            title="Events, by provider",
            says=(
                "Events stored, without repeats. "
                "A provider whose webhooks come in and whose events do not is sending words that we do not know."
            ),
            kind=Kind.BARS,
            unit="cps",
            targets=(shows(series(metrics.EVENTS).rate("provider"), "{{provider}}"),),
        ),
    ),
)
