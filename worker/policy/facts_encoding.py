"""Facts as they are stored: the times in columns of their own, the rest, if any, as JSON."""

from datetime import datetime
from typing import Protocol, cast

import msgspec
from msgspec import Struct

from schemas.kind_rank import rank_in_former_key
from worker.policy.block import Block
from worker.policy.complaint import Complaint
from worker.policy.consent import NO_CONSENT, Consent, Wish
from worker.policy.deliverability import NO_FAILURES, Deliverability
from worker.policy.engagement import NO_ENGAGEMENT, Engagement
from worker.policy.facts import Facts, OrderKey
from worker.policy.strikes import RuleState


class StoredFacts(Protocol):
    """The facts in a contact's row: a column for each time, and the detail that `facts_detail` writes."""

    @property
    def last_delivered_at(self) -> datetime | None:
        """Aware UTC, like all times here."""

    @property
    def last_delivered_message(self) -> str | None:
        """The id of the message that was delivered last."""

    @property
    def last_opened_at(self) -> datetime | None:
        """By a person."""

    @property
    def last_clicked_at(self) -> datetime | None:
        """By a person."""

    @property
    def latest_at(self) -> datetime | None:
        """When the last event folded occurred."""

    @property
    def latest_rank(self) -> int | None:
        """Its rank; None in rows of an older version, which had it in the key."""

    @property
    def latest_key(self) -> bytes | None:
        """Its key; None if latest_at is None."""

    @property
    def latest_ordered_at(self) -> datetime | None:
        """When the last ordered event occurred."""

    @property
    def latest_ordered_rank(self) -> int | None:
        """Its rank, like latest_rank."""

    @property
    def latest_ordered_key(self) -> bytes | None:
        """Its key; None if latest_ordered_at is None."""

    @property
    def facts_detail(self) -> bytes | None:
        """All other facts; None if there are none."""


class _Detail(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Facts that few contacts have. New fields need a default, so that older rows stay readable."""

    deliverability: Deliverability = NO_FAILURES
    consent: Consent = NO_CONSENT
    complaint: Complaint | None = None
    awaited: tuple[bytes, ...] = ()


class _FormerDetail(_Detail, frozen=True, kw_only=True):
    """As an older version wrote it: without dimensions. Only read."""

    rules: tuple[RuleState, ...] = ()
    blocks: tuple[Block, ...] = ()
    optouts: tuple[Wish, ...] = ()


class _FormerFacts(_FormerDetail, frozen=True, kw_only=True):
    """All facts, as today or as an older version wrote them."""

    engagement: Engagement = NO_ENGAGEMENT
    latest: OrderKey | None = None
    latest_ordered: OrderKey | None = None
    last_delivered_at: datetime | None = None
    last_delivered_message: str | None = None
    last_opened_at: datetime | None = None
    last_clicked_at: datetime | None = None


# Deterministic: the same facts give the same bytes, so that rows can be compared.
_encoder = msgspec.json.Encoder(order="deterministic")
_detail_decoder = msgspec.json.Decoder(_FormerDetail)
_facts_decoder = msgspec.json.Decoder(_FormerFacts)
_NOTHING = _Detail()
_NO_DETAIL = _FormerDetail()
_UNTOUCHED = Facts()


def facts_detail(facts: Facts) -> bytes | None:
    """The facts without a column: deliverability, consent, the complaint. None if there are none."""
    if (
        facts.deliverability is NO_FAILURES
        and facts.consent is NO_CONSENT
        and facts.complaint is None
        and not facts.awaited
    ):
        return None  # nearly always
    detail = _Detail(
        deliverability=facts.deliverability,
        consent=facts.consent,
        complaint=facts.complaint,
        awaited=facts.awaited,
    )
    return None if detail == _NOTHING else _encoder.encode(detail)


def facts_from_row(row: StoredFacts) -> Facts:
    """The facts of the row. Raises msgspec.MsgspecError if `facts_detail` did not write its detail."""
    detail, latest_at, ordered_at = row.facts_detail, row.latest_at, row.latest_ordered_at
    known = _NO_DETAIL if detail is None else _detail_decoder.decode(detail)
    return Facts(
        engagement=Engagement(
            last_delivered_at=row.last_delivered_at,
            last_delivered_message=row.last_delivered_message,
            last_opened_at=row.last_opened_at,
            last_clicked_at=row.last_clicked_at,
        ),
        deliverability=NO_FAILURES if known is _NO_DETAIL else _deliverability(known),
        consent=NO_CONSENT if known is _NO_DETAIL else _consent(known),
        complaint=known.complaint,
        latest=None if latest_at is None else _order_key(latest_at, row.latest_rank, row.latest_key),
        latest_ordered=None
        if ordered_at is None
        else _order_key(ordered_at, row.latest_ordered_rank, row.latest_ordered_key),
        awaited=known.awaited,
    )


def _deliverability(known: _FormerDetail) -> Deliverability:
    if known.rules or known.blocks:
        return Deliverability(rules=known.rules, blocks=known.blocks)
    return known.deliverability


def _consent(known: _FormerDetail) -> Consent:
    return Consent(optouts=known.optouts) if known.optouts else known.consent


def _order_key(at: datetime, rank: int | None, event_key: bytes | None) -> OrderKey:
    key = cast("bytes", event_key)  # always written together with its time
    # An older processor that still runs writes its key but leaves the rank of the event before.
    former = rank_in_former_key(key)
    return OrderKey(at, cast("int", rank) if former is None else former, key)


def encode_facts(facts: Facts) -> bytes | None:
    """All facts as JSON, as a base for folding; None for an untouched contact."""
    return None if facts == _UNTOUCHED else _encoder.encode(facts)


def decode_facts(blob: bytes | None) -> Facts:
    """The facts of the blob. Raises msgspec.MsgspecError if `encode_facts` did not write it."""
    if blob is None:
        return _UNTOUCHED
    known = _facts_decoder.decode(blob)
    former = Engagement(
        last_delivered_at=known.last_delivered_at,
        last_delivered_message=known.last_delivered_message,
        last_opened_at=known.last_opened_at,
        last_clicked_at=known.last_clicked_at,
    )
    return Facts(
        engagement=known.engagement if former == NO_ENGAGEMENT else former,
        deliverability=_deliverability(known),
        consent=_consent(known),
        complaint=known.complaint,
        latest=known.latest,
        latest_ordered=known.latest_ordered,
        awaited=known.awaited,
    )
