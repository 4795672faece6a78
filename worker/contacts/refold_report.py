"""Logs and counts re-folds in the background. All functions are called after the commit."""

from collections.abc import Iterable

from worker.contacts.open_refolds import OpenRefold
from worker.process import metrics
from worker.process.logs import get_logger

_log = get_logger()


def report_requested(refolds: Iterable[OpenRefold]) -> None:
    """Reports new re-folds, of contacts that were not being folded again before."""
    for refold in refolds:
        reason = "policy" if refold.provisional is None else "late_entry"
        _log.info("refold.requested", contact_id=refold.contact_id, reason=reason)
        metrics.REFOLDS_REQUESTED.labels(reason).inc()


def report_ended(contact_id: int, *, seconds: float) -> None:
    """Reports the end of a re-fold; `seconds` since it was requested."""
    _log.info("refold.ended", contact_id=contact_id, seconds=round(seconds, 3))
    metrics.REFOLD_SECONDS.observe(seconds)
