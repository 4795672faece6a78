"""Facts as they are stored: the times in columns of their own, the rest, if any, as JSON."""

from datetime import datetime
from typing import Protocol, cast

import msgspec
from msgspec import Struct

from schemas.kind_rank import rank_in_former_key
from worker.policy.facts import Block, Complaint, Facts, Optout, OrderKey, RuleState, is_free


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

    rules: tuple[RuleState, ...] = ()
    blocks: tuple[Block, ...] = ()
    optouts: tuple[Optout, ...] = ()
    complaint: Complaint | None = None


# Deterministic: the same facts give the same bytes, so that rows can be compared.
_encoder = msgspec.json.Encoder(order="deterministic")
_detail_decoder = msgspec.json.Decoder(_Detail)
_facts_decoder = msgspec.json.Decoder(Facts)
_NO_DETAIL = _Detail()


def facts_detail(facts: Facts) -> bytes | None:
    """The facts without a column: rules, blocks, opt-outs, the complaint. None if there are none."""
    if is_free(facts):
        return None
    return _encoder.encode(
        _Detail(rules=facts.rules, blocks=facts.blocks, optouts=facts.optouts, complaint=facts.complaint)
    )


def facts_from_row(row: StoredFacts) -> Facts:
    """The facts of the row. Raises msgspec.MsgspecError if `facts_detail` did not write its detail."""
    detail, latest_at, ordered_at = row.facts_detail, row.latest_at, row.latest_ordered_at
    known = _NO_DETAIL if detail is None else _detail_decoder.decode(detail)
    return Facts(
        last_delivered_at=row.last_delivered_at,
        last_delivered_message=row.last_delivered_message,
        last_opened_at=row.last_opened_at,
        last_clicked_at=row.last_clicked_at,
        rules=known.rules,
        blocks=known.blocks,
        optouts=known.optouts,
        complaint=known.complaint,
        latest=None if latest_at is None else _order_key(latest_at, row.latest_rank, row.latest_key),
        latest_ordered=None
        if ordered_at is None
        else _order_key(ordered_at, row.latest_ordered_rank, row.latest_ordered_key),
    )


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
    return _UNTOUCHED if blob is None else _facts_decoder.decode(blob)


_UNTOUCHED = Facts()
