"""What the operator is told of re-folds in the background. All is called after the commit."""

from collections.abc import Iterable

from worker.contacts.open_refolds import OpenRefold
from worker.process import metrics
from worker.process.logs import get_logger

_log = get_logger()


def report_requested(refolds: Iterable[OpenRefold]) -> None:
    """Of contacts that were not being folded again before."""
    for refold in refolds:
        reason = "policy" if refold.provisional is None else "late_entry"
        _log.info("refold.requested", contact_id=refold.contact_id, reason=reason)
        metrics.REFOLDS_REQUESTED.labels(reason).inc()


def report_ended(contact_id: int, *, seconds: float) -> None:
    """`seconds`: since the re-fold was requested."""
    _log.info("refold.ended", contact_id=contact_id, seconds=round(seconds, 3))
    metrics.REFOLD_SECONDS.observe(seconds)
