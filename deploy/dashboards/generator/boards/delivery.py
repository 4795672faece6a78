"""One delivery, or one contact: every line about it, from the receiver to the status and to what people decided."""

from deploy.dashboards.generator.board import Board, Question
from deploy.dashboards.generator.log_query import lines
from deploy.dashboards.generator.panel import Kind, Panel, shows

_DELIVERY, _CONTACT = "$delivery", "$contact"
_ALL = lines().with_text(_DELIVERY).where("delivery_id", "=", _DELIVERY)

LOGS = Board(
    name="delivery",
    title="Bouncekeeper: one delivery or contact",
    says=(
        "Write a delivery id or a contact's number above: both stand in the lines of the other boards. "
        "`bouncekeeper why ADDRESS` tells the whole story of a contact, whatever the log still holds."
    ),
    source="loki",
    since="now-24h",
    questions=(
        Question(name="delivery", label="Delivery id", initial="none"),
        Question(name="contact", label="Contact's number", initial="none"),
    ),
    panels=(
        Panel(
            title="The delivery came in",
            says=(
                "How the receiver answered, or which mail it was. "
                "If nothing is here, the id is wrong, or it came in before the time shown."
            ),
            kind=Kind.LINES,
            unit="",
            targets=(
                shows(
                    lines("webhook.accepted", "webhook.answered", "mail.fetched")
                    .with_text(_DELIVERY)
                    .where("delivery_id", "=", _DELIVERY)
                    .shown("source", "provider")
                ),
            ),
            height=6,
        ),
        Panel(
            title="What came of it",
            says=(
                "Statuses that the delivery has changed. "
                "None is normal for deliveries, opens and clicks; a repeat changes nothing either."
            ),
            kind=Kind.LINES,
            unit="",
            targets=(
                shows(
                    lines("status.changed")
                    .with_text(_DELIVERY)
                    .where("delivery_id", "=", _DELIVERY)
                    .shown("contact", "old_status", "new_status", "cause", "rule", "age_seconds")
                ),
            ),
            height=6,
        ),
        Panel(
            title="Every line about the delivery",
            says=(
                "Everything that any process has logged about it, dead letters and failures too. "
                "With delivery.set_aside: `bouncekeeper dead-letters list`."
            ),
            kind=Kind.LINES,
            unit="",
            targets=(shows(_ALL.shown()),),
            width=24,
            height=9,
        ),
        Panel(
            title="The contact's statuses",
            says=(
                "How the contact's status changed, why, and by whom. "
                "`bouncekeeper why ADDRESS` says which answer of which server it was."
            ),
            kind=Kind.LINES,
            unit="",
            targets=(
                shows(
                    lines("status.changed")
                    .with_text(_CONTACT)
                    .where("contact_id", "=", _CONTACT)
                    .shown("old_status", "new_status", "cause", "rule", "until", "actor", "source")
                ),
            ),
        ),
        Panel(
            title="What was decided about the contact",
            says=(
                "Decisions of people and applications, with the act that they belong to. "
                "To undo one, decide anew: `bouncekeeper lift` or `bouncekeeper block`."
            ),
            kind=Kind.LINES,
            unit="",
            targets=(
                shows(
                    lines("decision.made")
                    .with_text(_CONTACT)
                    .where("contact_id", "=", _CONTACT)
                    .shown("kind", "actor", "act_id", "scope")
                ),
            ),
        ),
        Panel(
            title="Every line about the contact",
            says=(
                "Everything that names the contact's number, re-folds in the background too. "
                "If a re-fold has failed, report the traceback."
            ),
            kind=Kind.LINES,
            unit="",
            targets=(shows(lines().with_text(_CONTACT).where("contact_id", "=", _CONTACT).shown()),),
            width=24,
            height=9,
        ),
    ),
)
