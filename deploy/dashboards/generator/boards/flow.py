"""The way of the webhooks: what comes in, when it takes effect, what waits, and what was put aside."""

from deploy.dashboards.generator.board import Board
from deploy.dashboards.generator.log_query import lines, or_zero
from deploy.dashboards.generator.metric_query import series
from deploy.dashboards.generator.panel import Kind, Panel, shows
from worker.process import metrics

_TITLE = "Bouncekeeper: flow"
_ANSWERS = lines("webhook.accepted", "webhook.answered", "webhook.refused", "webhook.postponed", "webhook.failed")
_ACCEPTED = lines("webhook.accepted")
_LOADS = lines("batch.applied")
_CHANGES = lines("status.changed").where("age_seconds", "!=", "")

_COMING_IN = (
    Panel(
        title="Webhooks by outcome",
        says=(
            "How webhooks were answered: postponed and failed ones must be sent again by the ESP. "
            "If those last for minutes, look at the queue and at Postgres, for ESPs give up after a while."
        ),
        kind=Kind.BARS,
        unit="reqps",
        targets=(shows(_ANSWERS.rate("event"), "{{event}}"),),
    ),
    Panel(
        title="Webhooks accepted, by source",
        says=(
            "What each ESP reports. A source that stops while its mail goes out has lost its webhook at the ESP: "
            "look there, then run `bouncekeeper sources test`."
        ),
        kind=Kind.CURVES,
        unit="reqps",
        targets=(shows(_ACCEPTED.rate("source"), "{{source}}"),),
    ),
    Panel(
        title="Time to answer a webhook",
        says=(
            "From the head of the request to the answer, with the confirm of the queue: half of the webhooks, and all "
            "but one of a hundred. If it rises over a second, the broker is slow or the callers send large bodies."
        ),
        kind=Kind.CURVES,
        unit="s",
        targets=(
            shows(_ACCEPTED.quantile(0.5, "seconds", "event"), "half"),
            shows(_ACCEPTED.quantile(0.99, "seconds", "event"), "99 of 100"),
        ),
    ),
    Panel(
        title="Webhooks refused, by source and reason",
        says=(
            "Requests that are not authentic, too large, too slow or for an unknown source. "
            "If a source refuses all that comes, its key at the ESP is another one; strangers are harmless."
        ),
        kind=Kind.BARS,
        unit="short",
        targets=(shows(or_zero(lines("webhook.refused").count("source", "reason")), "{{source}} {{reason}}"),),
    ),
)
_TAKING_EFFECT = (
    Panel(
        title="From webhook to status",
        says=(
            "The time from the arrival of a webhook to the changed status. "
            "If it is minutes, add processors, or look at Postgres."
        ),
        kind=Kind.CURVES,
        unit="s",
        warn_at=60,
        alarm_at=300,
        targets=(
            shows(_CHANGES.quantile(0.5, "age_seconds", "event"), "half"),
            shows(_CHANGES.quantile(0.99, "age_seconds", "event"), "99 of 100"),
        ),
    ),
    Panel(
        title="Age of the oldest webhook, by queue",
        says=(
            "How long the oldest webhook of a load had waited when it was committed. "
            "If it grows, more comes in than is stored: add processors."
        ),
        kind=Kind.CURVES,
        unit="s",
        warn_at=60,
        alarm_at=300,
        targets=(shows(_LOADS.highest("oldest_age_seconds", "queue"), "{{queue}}"),),
    ),
    Panel(
        title="Events stored",
        says=(
            "Events of all loads: new ones, those known already, and changes of a status. "
            "Many known ones mean that an ESP repeats itself, or that a processor was killed; they change nothing."
        ),
        kind=Kind.BARS,
        unit="short",
        targets=(
            shows(_LOADS.total("new_events"), "new"),
            shows(_LOADS.total("duplicates"), "known already"),
            shows(_LOADS.total("status_changes"), "changed a status"),
        ),
    ),
    Panel(
        title="Time for a load",
        says=(
            "The longest time for parsing and for storing one load of webhooks. "
            "If storing takes seconds, Postgres is the limit, and more processors do not help."
        ),
        kind=Kind.CURVES,
        unit="s",
        targets=(
            shows(_LOADS.highest("parse_seconds"), "parsing"),
            shows(_LOADS.highest("store_seconds"), "storing"),
        ),
    ),
)
_WAITING = (
    Panel(
        title="Parked in Postgres",
        says=(
            "Parcels that were kept in Postgres because RabbitMQ was away or too slow, told when it confirms again. "
            "Nothing is lost: look why RabbitMQ was away."
        ),
        kind=Kind.BARS,
        unit="short",
        targets=(
            shows(or_zero(lines("parking.ended").total("parcels")), "parcels parked"),
            shows(or_zero(lines("parcel.parked").count()), "parking begun"),
        ),
        width=8,
    ),
    Panel(
        title="Dead letters, by source and reason",
        says=(
            "Authentic webhooks that could not be processed, kept whole. "
            "Run `bouncekeeper dead-letters list`: it says what to do about each reason."
        ),
        kind=Kind.BARS,
        unit="short",
        alarm_at=1,
        targets=(shows(or_zero(lines("delivery.set_aside").count("source", "reason")), "{{source}} {{reason}}"),),
        width=8,
    ),
    Panel(
        title="Dead letters dealt with",
        says=(
            "Dead letters that a person had replayed or discarded. What was set aside and is in neither waits for you."
        ),
        kind=Kind.BARS,
        unit="short",
        targets=(
            shows(or_zero(lines("letters.replayed").total("count")), "replayed"),
            shows(or_zero(lines("letters.discarded").total("count")), "discarded"),
        ),
        width=8,
    ),
    Panel(
        title="Trouble with RabbitMQ and Postgres",
        says=(
            "Lost connections, batches tried again, processors that wait for Postgres. "
            "A few during a restart are normal; if they last, something that we need is down."
        ),
        kind=Kind.BARS,
        unit="short",
        targets=(
            shows(
                or_zero(
                    lines(
                        "broker.lost",
                        "broker.misconfigured",
                        "batch.retried",
                        "consumer.suspended",
                        "load.given_back",
                        "parcel.published_again",
                        "postgres.rejected",
                        "schema.vanished",
                        "task.failed",
                    ).count("event")
                ),
                "{{event}}",
            ),
        ),
    ),
    Panel(
        title="Warnings and errors, by event",
        says=(
            "Every line that is a warning or an error. "
            "docs/log-events.md says what each means; the board of sources shows the lines."
        ),
        kind=Kind.BARS,
        unit="short",
        targets=(shows(or_zero(lines().where("level", "=~", "warning|error").count("event")), "{{event}}"),),
    ),
)

LOGS = Board(
    name="flow",
    title=_TITLE,
    says="Whether webhooks come in, take effect soon, and where they wait.",
    source="loki",
    panels=(*_COMING_IN, *_TAKING_EFFECT, *_WAITING),
)

METRICS = Board(
    name="flow",
    title=f"{_TITLE} (metrics)",
    says="Whether webhooks come in, take effect soon, and where they wait.",
    source="prometheus",
    panels=(
        Panel(
            title="Webhooks by outcome",
            says=_COMING_IN[0].says,
            kind=Kind.BARS,
            unit="reqps",
            targets=(shows(series(metrics.WEBHOOKS).rate("outcome"), "{{outcome}}"),),
        ),
        Panel(
            title="Webhooks accepted, by source",
            says=_COMING_IN[1].says,
            kind=Kind.CURVES,
            unit="reqps",
            targets=(shows(series(metrics.WEBHOOKS).where("outcome", "=", "accepted").rate("source"), "{{source}}"),),
        ),
        Panel(
            title="Time to answer a webhook",
            says=_COMING_IN[2].says,
            kind=Kind.CURVES,
            unit="s",
            targets=(
                shows(series(metrics.WEBHOOK_SECONDS).quantile(0.5), "half"),
                shows(series(metrics.WEBHOOK_SECONDS).quantile(0.99), "99 of 100"),
            ),
        ),
        Panel(
            title="Webhooks refused, by source and reason",
            says=_COMING_IN[3].says,
            kind=Kind.BARS,
            unit="reqps",
            targets=(
                shows(
                    series(metrics.WEBHOOKS).where("outcome", "=", "refused").rate("source", "reason"),
                    "{{source}} {{reason}}",
                ),
            ),
        ),
        Panel(
            title="From webhook to status",
            says=_TAKING_EFFECT[0].says,
            kind=Kind.CURVES,
            unit="s",
            warn_at=60,
            alarm_at=300,
            targets=(
                shows(series(metrics.WEBHOOK_TO_STATUS_SECONDS).quantile(0.5), "half"),
                shows(series(metrics.WEBHOOK_TO_STATUS_SECONDS).quantile(0.99), "99 of 100"),
            ),
        ),
        Panel(
            title="Age of the oldest webhook, by processor",
            says=_TAKING_EFFECT[1].says,
            kind=Kind.CURVES,
            unit="s",
            warn_at=60,
            alarm_at=300,
            targets=(shows(series(metrics.OLDEST_AGE_SECONDS).highest("instance"), "{{instance}}"),),
        ),
        Panel(
            title="Events stored, by kind",
            says=(
                "What became of messages, without repeats. "
                "If bounces or complaints rise against deliveries, look at the board of contacts."
            ),
            kind=Kind.BARS,
            unit="cps",
            targets=(
                shows(series(metrics.EVENTS).rate("kind"), "{{kind}}"),
                shows(series(metrics.DUPLICATE_EVENTS).rate(), "known already"),
            ),
        ),
        Panel(
            title="Time for a batch",
            says=(
                "Parsing and storing: all but one of a hundred batches take less. "
                "If storing takes seconds, Postgres is the limit, and more processors do not help."
            ),
            kind=Kind.CURVES,
            unit="s",
            targets=(shows(series(metrics.BATCH_SECONDS).quantile(0.99, "step"), "{{step}}"),),
        ),
        Panel(
            title="Waiting parcels, by queue",
            says=(
                "Parcels that no processor has taken yet. "
                "If they grow for minutes, add processors; those of the queue postgres were parked."
            ),
            kind=Kind.CURVES,
            unit="short",
            targets=(shows(series(metrics.QUEUE_DEPTH_PARCELS).highest("queue"), "{{queue}}"),),
            width=8,
        ),
        Panel(
            title="Waiting parcels, by source",
            says=(
                "Which source has a backlog; the others do not wait for it. "
                "An import belongs on a source with `bulk = true`."
            ),
            kind=Kind.CURVES,
            unit="short",
            targets=(shows(series(metrics.LANE_DEPTH_PARCELS).highest("source", "work"), "{{source}} {{work}}"),),
            width=8,
        ),
        Panel(
            title="Parked in Postgres",
            says=(
                "Parcels that were kept in Postgres because RabbitMQ was away or too slow. "
                "Nothing is lost: look why RabbitMQ was away."
            ),
            kind=Kind.BARS,
            unit="cps",
            targets=(shows(series(metrics.PARKED_PARCELS).rate(), "parked"),),
            width=8,
        ),
        Panel(
            title="Dead letters, by reason",
            says=_WAITING[1].says,
            kind=Kind.BARS,
            unit="cps",
            targets=(shows(series(metrics.SET_ASIDE).rate("reason"), "{{reason}}"),),
            width=8,
        ),
        Panel(
            title="Queues that accept parcels",
            says=(
                "It is 1 while receivers reach the queue, 0 while it is away or blocked. With RabbitMQ, they put into "
                "Postgres only while that is away, so Postgres is 0 only after it has failed then. "
                "If both are 0, webhooks are answered 503: start RabbitMQ or Postgres."
            ),
            kind=Kind.CURVES,
            unit="bool_yes_no",
            targets=(shows(series(metrics.QUEUE_AVAILABLE).lowest("queue"), "{{queue}}"),),
            width=8,
        ),
        Panel(
            title="Postgres, as processors and the API find it",
            says=(
                "It is 1 while every processor, or every process of the API, gets answers from Postgres, and 0 while "
                "one of them gets none. Then nothing is stored or the API answers 503: run `bouncekeeper doctor`."
            ),
            kind=Kind.CURVES,
            unit="bool_yes_no",
            targets=(shows(series(metrics.STORE_AVAILABLE).lowest("role"), "{{role}}"),),
            width=8,
        ),
        Panel(
            title="Batches tried again",
            says=(
                "Batches that met a deadlock or a lost connection to Postgres. "
                "Now and then is harmless; with every batch, Postgres is in trouble."
            ),
            kind=Kind.BARS,
            unit="cps",
            targets=(shows(series(metrics.BATCHES).where("outcome", "=", "retried").rate(), "tried again"),),
            width=8,
        ),
        Panel(
            title="Connections turned away or cut off, by reason",
            says=(
                "Connections closed to make room, or because a request came too slowly. "
                "`no_room` means that genuine callers are turned away: find out who opens them, or add receivers."
            ),
            kind=Kind.BARS,
            unit="cps",
            targets=(shows(series(metrics.CONNECTIONS_CUT_OFF).rate("role", "reason"), "{{role}} {{reason}}"),),
        ),
        Panel(
            title="Open connections, by process",
            says=(
                "Connections that callers hold. "
                "Near connections.max_open new ones replace waiting ones: raise it, or add processes."
            ),
            kind=Kind.CURVES,
            unit="short",
            targets=(shows(series(metrics.CONNECTIONS).total("role", "instance"), "{{role}} {{instance}}"),),
        ),
    ),
)
