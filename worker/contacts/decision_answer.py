"""The answer to an act: how many decisions were made, what was skipped, and what to do instead."""

from collections.abc import Iterator
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import asdict

from schemas.decision import DecisionKind
from schemas.decision_request import RequestedKind
from schemas.vocabulary import Blocks, Channel, MailClass
from worker.contacts.decision_result import DecisionResult
from worker.policy.dimension import Standing
from worker.policy.effect import Outcome, Reason
from worker.policy.permissions import Refusal
from worker.policy.sentences import suppression_sentence
from worker.policy.standing import may_end, standings


class SkipReason(StrEnum):
    """Why nothing was decided about an address. The values are sent."""

    INVALID_ADDRESS = "invalid_address"
    FAULTY_ROW = "faulty_row"  # of contacts that are added: a tag, person, field or permission cannot be stored
    UNKNOWN_CONTACT = "unknown_contact"
    NOTHING_TO_LIFT = "nothing_to_lift"
    NOT_LIFTED_BY_THIS = "not_lifted_by_this"  # `lifted_by` names others
    OPTED_OUT = "opted_out"  # the person has opted out, and this is not the person's own opt-in
    NOT_PERMITTED = "not_permitted"
    NOT_DECIDED_THEN = "not_decided_then"  # the first request with this Idempotency-Key had nothing to decide here


class SkippedAddress(Struct, frozen=True, kw_only=True):
    """Nothing was decided about this address."""

    address: str  # as given
    reason: SkipReason
    sentence: str
    remedy: str  # what to do instead


class StillForbidden(Struct, frozen=True, kw_only=True):
    """The decision about this address was made, but something else still forbids mail."""

    address: str  # as given
    forbids: tuple[MailClass, ...]  # the classes of mail that this forbids
    sentence: str
    remedy: str


class DecisionAnswer(Struct, frozen=True, kw_only=True):
    """The result of one act. `made`, `unchanged`, `skipped` and `duplicates` add up to `addresses`."""

    act_id: int | None  # None: a dry run
    kind: RequestedKind
    account: str
    channel: Channel
    dry_run: bool
    repeated: bool  # the Idempotency-Key was used before, with the same request
    addresses: int  # in the request
    made: int  # decisions of this act that are in effect, no matter which of its requests made them
    unchanged: int  # known before
    skipped: int
    duplicates: int  # other spellings of an address that is in the request too
    skipped_addresses: list[SkippedAddress]
    still_forbidden: list[StillForbidden]


def skip_of(address: str, result: DecisionResult) -> SkippedAddress | None:
    """Why nothing was decided, and what to do instead; None if the decision was made, or known before."""
    effect = result.effect
    if effect is None or effect.outcome is not Outcome.NOTHING or effect.reason is Reason.KNOWN_BEFORE:
        return None
    if effect.reason is Reason.NOT_PERMITTED:
        return SkippedAddress(
            address=address,
            reason=SkipReason.NOT_PERMITTED,
            sentence="Who asked for it may not decide it.",
            remedy="Ask an operator.",
        )
    first = next(_remaining(result), None)
    if first is not None:
        _, refusal = first
        lifts = result.decision.kind is DecisionKind.LIFTED
        reason = SkipReason.NOT_LIFTED_BY_THIS if lifts else SkipReason.OPTED_OUT
        return SkippedAddress(address=address, reason=reason, **asdict(refusal))
    if result.contact_id is None:
        return SkippedAddress(
            address=address,
            reason=SkipReason.UNKNOWN_CONTACT,
            sentence="Nothing is known of this contact, so nothing forbids mail.",
            remedy="Check the spelling and the account.",
        )
    return SkippedAddress(
        address=address,
        reason=SkipReason.NOTHING_TO_LIFT,
        sentence="Nothing forbids mail to this contact.",
        remedy=_remedy_at_the_esp(result) or "Mail it.",
    )


def invalid_address(address: str, channel: Channel) -> SkippedAddress:
    """The answer for a text that is not an address."""
    what = "an e-mail address" if channel is Channel.EMAIL else "a phone number with its country"
    return SkippedAddress(
        address=address,
        reason=SkipReason.INVALID_ADDRESS,
        sentence=f"This is not {what}.",
        remedy="Correct it.",
    )


def not_decided_then(address: str) -> SkippedAddress:
    """The answer for a contact about whom the first request with this key had nothing to decide, and now would."""
    return SkippedAddress(
        address=address,
        reason=SkipReason.NOT_DECIDED_THEN,
        sentence="When this request was first answered, nothing was to be decided about this contact.",
        remedy="To decide it now, send the request with a new Idempotency-Key.",
    )


def still_forbidden(address: str, result: DecisionResult) -> Iterator[StillForbidden]:
    """What still forbids mail after a lift or an opt-in was made, and what to do about it."""
    if result.decision.kind not in {DecisionKind.LIFTED, DecisionKind.OPTED_IN}:
        return
    for one, refusal in _remaining(result):
        yield StillForbidden(address=address, forbids=one.blocks.classes, **asdict(refusal))
    if remedy := _remedy_at_the_esp(result):
        yield StillForbidden(
            address=address,
            forbids=(),
            sentence="The ESP has the address on a list of its own and may not try.",
            remedy=remedy,
        )


def _remaining(result: DecisionResult) -> Iterator[tuple[Standing, Refusal]]:
    """What forbids mail after the decision, and why the decision does not end it, in the order of the policy."""
    decision = result.decision
    for one in standings(result.facts, result.policy, decision.occurred_at):
        if one.blocks is not Blocks.NONE and (refusal := may_end(one, decision)) is not None:
            yield one, refusal


def _remedy_at_the_esp(result: DecisionResult) -> str | None:
    suppression = result.facts.deliverability.suppression
    return None if suppression is None else suppression_sentence(suppression)
