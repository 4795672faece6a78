"""Every alert. A metric is asked where there is one; the log tells the same, and what no metric counts."""

from prometheus_client.metrics import MetricWrapperBase

from deploy.dashboards.generator.alert import Alert, Severity
from deploy.dashboards.generator.log_query import Lines, or_zero
from deploy.dashboards.generator.log_query import lines as lines_of_board
from deploy.dashboards.generator.metric_query import Series
from deploy.dashboards.generator.metric_query import series as series_of_board
from worker.process import metrics

_WHOSE = ("sending_domain", "source")
# Below this, one complaint is a rate of its own.
_ENOUGH_MAIL = 1000


def _lines(*events: str) -> Lines:
    return lines_of_board(*events).for_alert()


def _series(metric: MetricWrapperBase) -> Series:
    return series_of_board(metric).for_alert()


def _grown(series: Series, *by: str, over: str) -> str:
    """By how much a counter has grown, where it did.

    A counter with labels comes into being with its first event, and `increase` sees nothing of that one.
    """
    return f"({series.increase(*by, over=over)} > 0 or {series.born(*by, over=over)} > 0)"


def _outcome(*outcomes: str) -> Series:
    return _series(metrics.WEBHOOKS).where("outcome", "=~", "|".join(outcomes)).where("source", "!=", "")


def _since(began: Lines, ended: Lines, *by: str, over: str) -> str:
    """What began and has not ended since. Moments are whole seconds, so that an end in the same second counts."""
    start = began.last_seen(*by, over=over)
    return f"({start} unless {ended.last_seen(*by, over=over)} >= {start})"


def _silent(before: str, now: str) -> str:
    return f"{before} > 0 unless {now} > 0"


def _log_rate(*fields: str) -> str:
    part = " + ".join(_lines("sendings.counted").total(field, *_WHOSE, over="1d") for field in fields)
    whole = " + ".join(
        _lines("sendings.counted").total(field, *_WHOSE, over="1d")
        for field in (["delivered"] if fields == ("complaints",) else ["delivered", *fields])
    )
    delivered = _lines("sendings.counted").total("delivered", *_WHOSE, over="1d")
    return f"100 * ({part}) / (({whole}) and ({delivered} > {_ENOUGH_MAIL}))"


def _metric_rate(*kinds: str) -> str:
    def increase(*of: str) -> str:
        return _series(metrics.SENDINGS).where("kind", "=~", "|".join(of)).increase(*_WHOSE, over="1d")

    whole = increase("delivered") if kinds == ("complaint",) else increase("delivered", *kinds)
    return f"100 * {increase(*kinds)} / ({whole} and ({increase('delivered')} > {_ENOUGH_MAIL}))"


_BLOCKING = "blocklisted|complained"
_REFUSED = _outcome("refused").rate("source", over="15m")
_REFUSED_LINES = _lines("webhook.refused").where("source", "!=", "").count("source", over="15m")
_BLOCKS = _series(metrics.STATUS_CHANGES).where("status", "=~", _BLOCKING)
_BLOCK_LINES = _lines("status.changed").where("new_status", "=~", _BLOCKING)
_TAKEN = _grown(_series(metrics.ENDPOINT_ATTEMPTS).where("outcome", "=", "taken"), "endpoint", over="15m")
_NOT_RESUMED = _since(_lines("consumer.suspended"), _lines("consumer.resumed"), over="1d")
# A processor that was ended while it waited resumes nothing: the next one starts, and stores.
_NOT_STARTED_AGAIN = _since(
    _lines("consumer.suspended"), _lines("process.started").where("role", "=", "processor"), over="1d"
)

ALERTS = (
    Alert(
        name="WebhooksPostponed",
        summary="Webhooks cannot be stored; ESPs give up after a while (SNS first, within the hour)",
        severity=Severity.PAGE,
        lasts="5m",
        metrics=f"{_series(metrics.WEBHOOKS).where('outcome', '=~', 'postponed|failed').rate(over='5m')} > 0",
        log=f"{_lines('webhook.postponed', 'webhook.failed').count(over='5m')} > 0",
    ),
    Alert(
        name="WebhooksRefused",
        summary="{{ $labels.source }} refuses more webhooks than it accepts: its key at the ESP is another one",
        severity=Severity.TICKET,
        lasts="15m",
        metrics=f"{_REFUSED} > ({_outcome('accepted').rate('source', over='15m')} or 0 * {_REFUSED})",
        log=(
            f"{_REFUSED_LINES} > ({_lines('webhook.accepted').count('source', over='15m')} or 0 * {_REFUSED_LINES})"
        ),
    ),
    Alert(
        name="NoWebhooks",
        summary="{{ $labels.source }} reported yesterday and has been silent for a day",
        severity=Severity.TICKET,
        seldom=True,
        metrics=_silent(
            _outcome("accepted").where("source", "!=", "unsubscribe_page").increase("source", over="1d", offset="1d"),
            _outcome("accepted").increase("source", over="1d"),
        ),
        log=_silent(
            _lines("webhook.accepted")
            .where("source", "!=", "unsubscribe_page")
            .count("source", over="1d", offset="1d"),
            _lines("webhook.accepted").count("source", over="1d"),
        ),
    ),
    Alert(
        name="ReceiversGone",
        summary="No receiver answers Prometheus: webhooks may be lost if ESPs reach none either",
        severity=Severity.PAGE,
        lasts="5m",
        metrics=f"absent({_series(metrics.CONNECTIONS).where('role', '=', 'receiver').total()})",
    ),
    Alert(
        name="ProcessorsGone",
        summary="No processor stores what comes in: webhooks wait in the queue, and statuses stay as they are",
        severity=Severity.PAGE,
        lasts="5m",
        # Every process exposes the gauges without labels; this one only those that read the queue.
        metrics=f"absent({_series(metrics.QUEUE_DEPTH_PARCELS).total()})",
        log=_silent(_lines("webhook.accepted").count(over="10m"), _lines("batch.applied").count(over="10m")),
    ),
    Alert(
        name="PostgresAway",
        summary="Postgres is away: processors store nothing, webhooks wait in the queue, and the API answers 503",
        severity=Severity.PAGE,
        lasts="2m",
        metrics=f"{_series(metrics.STORE_AVAILABLE).lowest('role')} == 0",
        log=f"{_NOT_RESUMED} and {_NOT_STARTED_AGAIN} unless {_lines('batch.applied').count(over='5m')} > 0",
    ),
    Alert(
        name="QueueAway",
        summary="Receivers cannot use a queue: they park in Postgres, or store nothing if that is away too",
        severity=Severity.PAGE,
        lasts="2m",
        metrics=f"{_series(metrics.QUEUE_AVAILABLE).lowest('queue')} == 0",
        log=f"{_lines('broker.lost', 'broker.misconfigured').count('role', over='2m')} > 0",
    ),
    Alert(
        name="CallersTurnedAway",
        summary="The {{ $labels.role }} has no connection left for callers: add processes, or keep somebody off",
        severity=Severity.TICKET,
        lasts="5m",
        metrics=(
            f"{_series(metrics.CONNECTIONS_CUT_OFF).where('reason', '=~', 'no_room.*').rate('role', over='5m')} > 0"
        ),
        log=(
            f"{_lines('connection.cut_off').where('reason', '=~', 'no_room.*').total('count', 'role', over='5m')} > 0"
        ),
    ),
    Alert(
        name="MailboxAway",
        summary="The mailbox of {{ $labels.source }} cannot be fetched from; its mail waits there",
        severity=Severity.TICKET,
        lasts="15m",
        metrics=f"{_series(metrics.MAILBOX_AVAILABLE).lowest('source')} == 0",
        log=f"{_lines('mailbox.lost').count('source', over='5m')} > 0",
    ),
    Alert(
        name="SummariesNotSent",
        summary="A daily summary is not sent: bouncekeeper doctor says whether the mail server can be used",
        severity=Severity.TICKET,
        lasts="2h",
        metrics=f"{_series(metrics.SUMMARY_MAILS_WAITING).highest()} > 0",
        log=f"{_lines('summary.postponed', 'summary.failed').count(over='2h')} > 0",
    ),
    Alert(
        name="SummaryRefused",
        summary="The mail server refuses a daily summary for good: bouncekeeper summary shows it and why",
        severity=Severity.TICKET,
        metrics=_grown(_series(metrics.SUMMARY_MAILS).where("outcome", "=", "refused"), over="1h"),
        log=f"{_lines('summary.refused').count(over='1h')} > 0",
    ),
    Alert(
        name="SafelistRequestsWait",
        summary="Safelist requests wait for a person: bouncekeeper safelist list --status requested",
        severity=Severity.TICKET,
        lasts="1d",
        metrics=f"{_series(metrics.SAFELIST_REQUESTS_PENDING).highest('kind')} > 20",
    ),
    Alert(
        name="ProcessorsBehind",
        summary="Statuses are minutes old: add processors, or look at Postgres",
        severity=Severity.PAGE,
        lasts="10m",
        metrics=(
            f"{_series(metrics.OLDEST_AGE_SECONDS).highest()} > 300"
            f" or {_series(metrics.QUEUE_DEPTH_PARCELS).highest()} > 10000"
        ),
        log=f"{_lines('batch.applied').highest('oldest_age_seconds', over='5m')} > 300",
    ),
    Alert(
        name="SourceBehind",
        summary="{{ $labels.source }} reports faster than the processors store; the others do not wait for it",
        severity=Severity.TICKET,
        lasts="15m",
        metrics=f"{_series(metrics.LANE_DEPTH_PARCELS).where('work', '=', 'live').highest('source')} > 1000",
    ),
    Alert(
        name="EndpointFails",
        summary="The application behind {{ $labels.endpoint }} takes no webhooks of ours",
        severity=Severity.TICKET,
        lasts="15m",
        # Attempts are at most some six minutes apart.
        metrics=(
            f"{_series(metrics.ENDPOINT_ATTEMPTS).where('outcome', '=', 'failed').rate('endpoint', over='15m')} > 0"
            f" unless {_TAKEN}"
        ),
        # Lines about it are up to an hour and a quarter apart.
        log=_since(
            _lines("endpoint.failed"),
            _lines("endpoint.recovered", "endpoint.disabled", "endpoint.enabled", "endpoint.forgotten"),
            "endpoint",
            over="2h",
        ),
    ),
    Alert(
        name="EndpointDisabled",
        summary="{{ $labels.endpoint }} gets no webhooks of ours until a person enables it",
        severity=Severity.TICKET,
        metrics=f"{_series(metrics.ENDPOINT_DISABLED).highest('endpoint')} > 0",
        log=_since(
            _lines("endpoint.disabled"), _lines("endpoint.enabled", "endpoint.forgotten"), "endpoint", over="1d"
        ),
    ),
    Alert(
        name="DeadLetters",
        summary="Webhooks were set aside ({{ $labels.reason }}): bouncekeeper dead-letters list",
        severity=Severity.TICKET,
        metrics=_grown(_series(metrics.SET_ASIDE), "reason", over="1h"),
        log=f"{_lines('delivery.set_aside').count('reason', over='1h')} > 0",
    ),
    Alert(
        name="JobFailed",
        summary="A job ({{ $labels.kind }}) has hit a bug of ours: the line job.failed holds the traceback",
        severity=Severity.TICKET,
        metrics=_grown(_series(metrics.JOBS_ENDED).where("outcome", "=", "failed"), "kind", over="1h"),
        log=f"{_lines('job.failed').count('kind', over='1h')} > 0",
    ),
    Alert(
        name="JobStands",
        summary="A job ({{ $labels.kind }}) makes no progress",
        severity=Severity.TICKET,
        lasts="1h",
        metrics=(
            f"{_series(metrics.JOBS_OPEN).highest('kind')} > 0"
            f" unless {_grown(_series(metrics.JOB_ITEMS), 'kind', over='30m')}"
        ),
    ),
    Alert(
        name="QuestionsRefused",
        summary="The API refuses questions ({{ $labels.reason }})",
        severity=Severity.TICKET,
        lasts="5m",
        metrics=f"{_series(metrics.API_REFUSED).rate('reason', over='5m')} > 1",
        log=f"{_lines('token.refused', 'api.overloaded').total('count', 'reason', over='5m')} > 300",
    ),
    Alert(
        name="Defect",
        summary="Bouncekeeper has hit a bug of its own ({{ $labels.event }}): no webhook is lost; please report it",
        severity=Severity.TICKET,
        log=(
            _lines(
                "api.failed", "event.failed", "parcel.failed", "parser.failed", "refold.failed", "summary.failed",
                "webhook.failed",
            ).count("event", over="1h")
            + " > 0"
        ),
    ),
    Alert(
        name="BlocksJump",
        summary="Far more people than yesterday are blocked: look at the last campaign",
        severity=Severity.PAGE,
        metrics=(
            f"{_BLOCKS.increase(over='1h')}"
            f" > 5 * ({_BLOCKS.increase(over='1h', offset='1d')} or vector(0)) + 100"
        ),
        log=(
            f"{_BLOCK_LINES.count(over='1h')}"
            f" > 5 * ({or_zero(_BLOCK_LINES.count(over='1h', offset='1d'))}) + 100"
        ),
    ),
    Alert(
        name="ComplaintRate",
        summary="Over 0.3 % of the mail of {{ $labels.sending_domain }} ({{ $labels.source }}) is complained about",
        severity=Severity.PAGE,
        seldom=True,
        lasts="15m",
        metrics=f"{_metric_rate('complaint')} > 0.3",
        log=f"{_log_rate('complaints')} > 0.3",
    ),
    Alert(
        name="BounceRate",
        summary="Over 5 % of the mail of {{ $labels.sending_domain }} ({{ $labels.source }}) bounces",
        severity=Severity.PAGE,
        seldom=True,
        lasts="15m",
        metrics=f"{_metric_rate('hard_bounce', 'soft_bounce')} > 5",
        log=f"{_log_rate('hard_bounces', 'soft_bounces')} > 5",
    ),
)  # fmt: skip
