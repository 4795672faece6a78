"""Reports a committed batch to the operator: a log line for it, one for each status change and set-aside, metrics."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

from worker.contacts.refold_report import report_requested
from worker.contacts.status_change import report_changes, trace_field
from worker.process import metrics
from worker.process.logs import get_logger
from worker.processor.batch import Committed
from worker.processor.intake_counts import Counted, intake_counts
from worker.processor.load_trace import UNTRACED, LoadTrace
from worker.processor.parsing import ParsedParcels, unknown_names
from worker.processor.sending_counts import sending_counts
from worker.providers.classification.operator_rules import operator_rules
from worker.store.dead_letters import SetAsideDelivery

_log = get_logger()


def report_given_up(deliveries: Sequence[SetAsideDelivery]) -> None:
    """Logs and counts each delivery of a parcel that was given up unparsed. Call it after the commit."""
    _report_set_aside(deliveries, {})
    intake_counts().add((), deliveries)


def _report_set_aside(deliveries: Iterable[SetAsideDelivery], trace_ids: Mapping[UUID, str]) -> None:
    for delivery in deliveries:
        envelope = delivery.envelope
        _log.warning(
            "delivery.set_aside",
            source=envelope.source,
            provider=envelope.provider,
            delivery_id=str(envelope.delivery_id),
            reason=delivery.reason,
            detail=delivery.detail,
            **trace_field(envelope.delivery_id, trace_ids),
        )
        metrics.SET_ASIDE.labels(delivery.reason).inc()


def report_unknown(parsed: ParsedParcels) -> None:
    """Logs each event name of a source that this version does not know. Call it after the commit."""
    for (source, provider, name), count in unknown_names(parsed).items():
        _log.warning("event.unknown", source=source, provider=provider, vendor_event=name, count=count)


def report_load(
    parsed: ParsedParcels,
    committed: Sequence[Committed],
    set_aside: Sequence[SetAsideDelivery],
    *,
    queue: str,
    parcels: int,
    parse_seconds: float,
    store_seconds: float,
    trace: LoadTrace = UNTRACED,
    counted: Counted | None = None,
) -> None:
    """Logs and counts the load. Call it once, after the commit, so that only facts are reported.

    `counted` is as in IntakeCounts.add.
    """
    trace_ids = trace.trace_ids()
    _report_set_aside(set_aside, trace_ids)
    all_applied = [applied for one in committed for applied in one.applied]
    attempts = sum(one.attempts for one in committed)
    now = datetime.now(UTC)
    for applied in all_applied:
        report_changes(applied.changes, trace_ids=trace_ids)
        report_requested(applied.requested_refolds)
        for (provider, kind), count in applied.kinds.items():
            metrics.EVENTS.labels(provider, kind).inc(count)
        metrics.DUPLICATE_EVENTS.inc(applied.duplicates)
        metrics.REFOLDED_CONTACTS.inc(applied.refolded)
        sending_counts().add(applied.sendings, now=now)
    intake_counts().add(parsed.deliveries, set_aside, counted=counted)
    for rule, count in operator_rules().take_counts().items():
        metrics.CLASSIFICATION_RULES.labels(rule).inc(count)
    if expired := sum(applied.expired for applied in all_applied):
        _log.warning("event.expired", count=expired)
    oldest = parsed.oldest_received_at
    age_seconds = (now - oldest).total_seconds() if oldest else 0.0
    metrics.BATCHES.labels("applied").inc(len(committed))
    metrics.BATCHES.labels("retried").inc(max(0, attempts - len(committed)))
    metrics.BATCH_SECONDS.labels("parse").observe(parse_seconds)
    metrics.BATCH_SECONDS.labels("store").observe(store_seconds)
    metrics.BATCH_EVENTS.observe(parsed.event_count)
    metrics.WEBHOOK_TO_STATUS_SECONDS.observe(age_seconds)
    metrics.OLDEST_AGE_SECONDS.set(age_seconds)
    _log.info(
        "batch.applied",
        queue=queue,
        parcels=parcels,
        deliveries=len(parsed.deliveries),
        events=parsed.event_count,
        new_events=sum(applied.new_events for applied in all_applied),
        duplicates=sum(applied.duplicates for applied in all_applied),
        contacts=sum(applied.contacts for applied in all_applied),
        status_changes=sum(len(applied.changes) for applied in all_applied),
        set_aside=len(set_aside),
        refolded=sum(applied.refolded for applied in all_applied),
        attempts=attempts,
        batches=len(committed),
        parse_seconds=round(parse_seconds, 6),
        store_seconds=round(store_seconds, 6),
        oldest_age_seconds=round(age_seconds, 3),
        **({} if trace.trace_id is None else {"trace_id": trace.trace_id}),
    )
