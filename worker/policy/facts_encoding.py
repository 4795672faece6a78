"""Facts as they are stored: the times in columns of their own, the rest as JSON where there is any."""

from datetime import datetime
from typing import cast

import msgspec
from msgspec import Struct

from worker.policy.facts import Block, Complaint, Facts, Optout, OrderKey, RuleState


class _Detail(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What most contacts have nothing of. Fields are only ever added, with a default: older rows stay readable."""

    rules: tuple[RuleState, ...] = ()
    blocks: tuple[Block, ...] = ()
    optouts: tuple[Optout, ...] = ()
    complaint: Complaint | None = None


# Deterministic: the same facts are the same bytes, so that rows can be compared.
_encoder = msgspec.json.Encoder(order="deterministic")
_detail_decoder = msgspec.json.Decoder(_Detail)
_facts_decoder = msgspec.json.Decoder(Facts)
_NO_DETAIL = _Detail()


def facts_detail(facts: Facts) -> bytes | None:
    """What has no column: rules, blocks, opt-outs, the complaint. None when there is nothing of these."""
    if not (facts.rules or facts.blocks or facts.optouts or facts.complaint):
        return None
    return _encoder.encode(
        _Detail(rules=facts.rules, blocks=facts.blocks, optouts=facts.optouts, complaint=facts.complaint)
    )


def facts_from_row(
    detail: bytes | None,
    *,
    last_delivered_at: datetime | None,
    last_delivered_message: str | None,
    last_opened_at: datetime | None,
    last_clicked_at: datetime | None,
    latest_at: datetime | None,
    latest_key: bytes | None,
    latest_ordered_at: datetime | None,
    latest_ordered_key: bytes | None,
) -> Facts:
    """The facts back, exactly. Times are aware; a time of `latest…` and its key are both there or both None.

    Raises msgspec.MsgspecError when the detail is not what `facts_detail` writes.
    """
    known = _NO_DETAIL if detail is None else _detail_decoder.decode(detail)
    return Facts(
        last_delivered_at=last_delivered_at,
        last_delivered_message=last_delivered_message,
        last_opened_at=last_opened_at,
        last_clicked_at=last_clicked_at,
        rules=known.rules,
        blocks=known.blocks,
        optouts=known.optouts,
        complaint=known.complaint,
        latest=None if latest_at is None else OrderKey(latest_at, cast("bytes", latest_key)),
        latest_ordered=(
            None if latest_ordered_at is None else OrderKey(latest_ordered_at, cast("bytes", latest_ordered_key))
        ),
    )


def encode_facts(facts: Facts) -> bytes | None:
    """All the facts as JSON, for a base that events are folded onto; None for an untouched contact."""
    return None if facts == _UNTOUCHED else _encoder.encode(facts)


def decode_facts(blob: bytes | None) -> Facts:
    """The facts back, exactly; raises msgspec.MsgspecError when the blob is none."""
    return _UNTOUCHED if blob is None else _facts_decoder.decode(blob)


_UNTOUCHED = Facts()
