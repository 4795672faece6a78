"""Logs and counts decisions that are committed."""

from schemas.decision import Decision
from worker.contacts.batch_terms import Applied
from worker.contacts.refold_report import report_requested
from worker.contacts.status_change import report_changes
from worker.process import metrics
from worker.process.logs import contact_field, get_logger

_log = get_logger()


def report_decisions(applied: Applied, *, with_lines: bool = True) -> None:
    """Logs and counts each decision that was made, and each change of a status."""
    for result in applied.results:
        if result.effect is None or not result.is_stored:
            continue
        if with_lines:
            _log_decision(result.decision, contact_id=result.contact_id)
        metrics.DECISIONS.labels(result.decision.kind).inc()
    report_changes(applied.changes, with_lines=with_lines)
    report_requested(applied.requested_refolds)


def _log_decision(decision: Decision, *, contact_id: int | None) -> None:
    _log.info(
        "decision.made",
        contact_id=contact_id,
        contact=contact_field(decision.address),
        account=decision.account,
        channel=decision.channel,
        kind=decision.kind,
        actor=decision.actor,
        act_id=decision.act_id,
        by_contact=decision.by_contact,
        scope=decision.scope,
        way=decision.way,
    )
