"""The decisions that the drill asks for: by whom, about whom, and under which idempotency key."""

import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from msgspec import Struct

from schemas.decision_request import RequestedKind
from tests.faults.workload import Webhook
from worker.contacts.decisions import CONTACTS_AT_ONCE

_COMMAND_SHARE = 0.06  # each is a process of its own, which takes as long as dozens of calls
_MANY_SHARE = 0.4  # of the calls
_MOST_ADDRESSES = 8
_NEW_CONTACT_SHARE = 0.1
# These are decided in several transactions, and cut off between them.
_LARGE_SHARE = 0.25  # of the commands, and of the calls that list many
_LARGE_ADDRESSES = range(CONTACTS_AT_ONCE + 100, 3 * CONTACTS_AT_ONCE)
_MEMBERS = 2_000  # whom the large calls are about, mostly

_KINDS: Mapping[RequestedKind, float] = {
    RequestedKind.LIFTED: 0.4,
    RequestedKind.LISTED: 0.25,
    RequestedKind.OPTED_IN: 0.2,
    RequestedKind.ADDED: 0.15,
}


class Way(StrEnum):
    """How a decision is asked for."""

    ONE = "POST /v1/contacts/{address}/decisions"
    MANY = "POST /v1/decisions"
    COMMAND = "bouncekeeper lift, bouncekeeper block"


class DecisionCall(Struct, frozen=True, kw_only=True):
    """One request or command, however often it is sent."""

    way: Way
    key: str  # no other call has it
    kind: RequestedKind
    terms: Mapping[str, Any]  # as the API takes them, beside the kind
    addresses: tuple[str, ...]  # normalised, each once


def make_decisions(webhooks: Sequence[Webhook], count: int, *, now: datetime, seed: int) -> list[DecisionCall]:
    """`count` calls about the contacts of these webhooks, and about some whom nobody knows yet."""
    chance = random.Random(seed)
    known = sorted({event.address for webhook in webhooks for event in webhook.events if event.address})
    return [_call(chance, known, number, now) for number in range(count)]


def _call(chance: random.Random, known: Sequence[str], number: int, now: datetime) -> DecisionCall:
    way = Way.COMMAND
    kinds = _KINDS
    if chance.random() >= _COMMAND_SHARE:
        way = Way.MANY if chance.random() < _MANY_SHARE else Way.ONE
    else:
        kinds = {kind: _KINDS[kind] for kind in (RequestedKind.LIFTED, RequestedKind.LISTED)}
    [kind] = chance.choices(list(kinds), weights=list(kinds.values()))
    size = 1 if way is Way.ONE else chance.randint(2, _MOST_ADDRESSES)
    members: Sequence[int] = ()
    if (way is Way.COMMAND or (way is Way.MANY and kind is RequestedKind.LISTED)) and chance.random() < _LARGE_SHARE:
        members = chance.sample(range(_MEMBERS), chance.choice(_LARGE_ADDRESSES))
    addresses = {
        f"stranger{number}-{place}@decided.example"
        if chance.random() < _NEW_CONTACT_SHARE
        else known[chance.randrange(len(known))]
        for place in range(size)
    }
    return DecisionCall(
        way=way,
        key=f"drill-{number}",
        kind=kind,
        terms=_terms(chance, kind, number, now),
        addresses=tuple(sorted(addresses | {f"member{member}@decided.example" for member in members})),
    )


def _terms(chance: random.Random, kind: RequestedKind, number: int, now: datetime) -> dict[str, Any]:
    match kind:
        case RequestedKind.LIFTED:
            return {"note": f"call {number}"}
        case RequestedKind.LISTED:
            until = now.replace(microsecond=0) + timedelta(days=chance.randint(1, 30))
            return {
                "note": f"call {number}",
                "blocks": chance.choice(["marketing", "all"]),
                **({"until": until.isoformat()} if chance.random() < 0.5 else {}),
            }
        case RequestedKind.OPTED_IN:
            return {
                "by_contact": chance.random() < 0.7,
                "strength": chance.choice(["single", "double", "staff"]),
                "proof": {"source": f"form {number}"},
            }
        case RequestedKind.UNSUBSCRIBED | RequestedKind.DECLINED_COMMERCIAL | RequestedKind.DO_NOT_CONTACT:
            return {"by_contact": chance.random() < 0.5}
        case RequestedKind.UNSUBSCRIBED_BY_US:
            return {"note": f"call {number}"}
        case RequestedKind.ADDED:
            return {"permission": chance.choice(["unknown", "stated", "none_needed"])}
