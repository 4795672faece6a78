"""The facts about one contact, in dimensions. The status is derived from them."""

from datetime import datetime

from msgspec import Struct

from worker.policy import consent, deliverability
from worker.policy.complaint import Complaint
from worker.policy.consent import NO_CONSENT, Consent
from worker.policy.deliverability import NO_FAILURES, Deliverability
from worker.policy.engagement import NO_ENGAGEMENT, Engagement


class OrderKey(Struct, frozen=True, order=True, gc=False, array_like=True):
    """An entry's place in its contact's log."""

    occurred_at: datetime
    rank: int  # of its kind: schemas.kind_rank
    event_key: bytes


class Facts(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Everything the fold knows. An untouched contact is `Facts()`."""

    engagement: Engagement = NO_ENGAGEMENT
    deliverability: Deliverability = NO_FAILURES
    consent: Consent = NO_CONSENT
    complaint: Complaint | None = None
    latest: OrderKey | None = None  # the last entry folded or annotated
    latest_ordered: OrderKey | None = None  # the last ordered one (see event_order)
    awaited: tuple[bytes, ...] = ()  # sorted keys of entries that are annotated, and have not arrived


def is_free(facts: Facts) -> bool:
    """True if the contact has one of FREE_STATUSES at every moment."""
    return facts.complaint is None and deliverability.is_free(facts.deliverability) and consent.is_free(facts.consent)
