"""Consent: what the person asked for, and what is known of the permission to mail."""

from collections.abc import Iterator
from datetime import datetime
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from schemas.decision import Decision, Permission, Strength
from schemas.entry import Entry
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Blocks, Status
from worker.policy.dimension import Standing
from worker.policy.effect import Effect, Outcome, Reason
from worker.policy.ending import Ending, end, together
from worker.policy.permissions import LOCKS, By, Fact, by_whom
from worker.policy.rule import Policy

_UNKNOWN_NAME = "the unknown permission"
_STRENGTHS = (Strength.IMPORTED, Strength.STAFF, Strength.SINGLE, Strength.DOUBLE)  # the weakest first


class Optout(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An unsubscribe that has not been taken back. `scope` is empty for everything."""

    scope: str
    at: datetime
    event_key: bytes


class Optin(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Consent that has not been withdrawn. `scope` is empty for everything. Its proof is told by its entry."""

    scope: str
    at: datetime
    strength: Strength
    event_key: bytes


class UnknownPermission(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The contact was added, and nobody says that the person agreed."""

    at: datetime
    event_key: bytes


class Consent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of the contact's consent."""

    optouts: tuple[Optout, ...] = ()  # one per scope, sorted by it
    optins: tuple[Optin, ...] = ()  # the strongest per scope, sorted by it
    permission: Permission | None = None  # what was said when the contact was added
    unknown: UnknownPermission | None = None  # in force until somebody opts in


NO_CONSENT = Consent()


def is_free(known: Consent) -> bool:
    """True if it forbids nothing under any policy."""
    return known is NO_CONSENT or not (known.optouts or known.unknown)


def after_unsubscribe(known: Consent, event: FeedbackEvent) -> tuple[Consent, Effect]:
    """The consent with one more opt-out; the first of each scope counts. It withdraws the opt-in of its scope."""
    scope = event.scope or ""
    if any(optout.scope == scope for optout in known.optouts):
        return known, Effect(outcome=Outcome.NOTHING, reason=Reason.KNOWN_BEFORE)
    optout = Optout(scope=scope, at=event.occurred_at, event_key=event.event_key)
    optouts = tuple(sorted((*known.optouts, optout), key=lambda optout: optout.scope))
    optins = tuple(optin for optin in known.optins if scope and optin.scope != scope)
    return replace(known, optouts=optouts, optins=optins), Effect(outcome=Outcome.UNSUBSCRIBED)


def after_added(known: Consent, decision: Decision) -> tuple[Consent, Effect]:
    """The consent after the contact was added: changed only if nothing was known of it."""
    if known.permission is not None or known.optins or known.optouts:
        return known, Effect(outcome=Outcome.NOTHING, reason=Reason.KNOWN_BEFORE)
    permission = decision.permission or Permission.UNKNOWN
    unknown = None
    if permission is Permission.UNKNOWN:
        unknown = UnknownPermission(at=decision.occurred_at, event_key=decision.event_key)
    return replace(known, permission=permission, unknown=unknown), Effect(outcome=Outcome.ADDED)


def after_optin(known: Consent, entry: Entry) -> tuple[Consent, Ending]:
    """The consent after an opt-in or a resubscribe: of its scope, or of all if it names none.

    An opt-in that is not the person's own is not noted while the person has opted out of the same.
    """
    scope = entry.scope or ""
    endings = [
        (optout, end(_optout_name(optout.scope), LOCKS[Fact.UNSUBSCRIBE], entry))
        for optout in known.optouts
        if not scope or optout.scope == scope
    ]
    taken_back = {optout.scope for optout, ending in endings if ending.ended}
    optouts = tuple(optout for optout in known.optouts if optout.scope not in taken_back)
    covered = any(optout.scope in {"", scope} for optout in optouts)
    ending = together(ending for _, ending in endings)
    if covered and by_whom(entry) is not By.CONTACT:
        return known, ending
    unknown = known.unknown
    if unknown is not None:
        over = end(_UNKNOWN_NAME, LOCKS[Fact.UNKNOWN_PERMISSION], entry)
        ending = together((ending, over))
        unknown = None if over.ended else unknown
    optins = _with_optin(known.optins, entry, scope)
    return replace(known, optouts=optouts, optins=optins, unknown=unknown), ending


def kept_by_lift(known: Consent, decision: Decision) -> Ending:
    """What a lift leaves: it ends nothing that only the person can end."""
    several = [end(_optout_name(optout.scope), LOCKS[Fact.UNSUBSCRIBE], decision) for optout in known.optouts]
    if known.unknown is not None:
        several.append(end(_UNKNOWN_NAME, LOCKS[Fact.UNKNOWN_PERMISSION], decision))
    return together(several)


def resubscribed(ending: Ending, *, reset: tuple[str, ...]) -> Effect:
    """What a resubscribe that an ESP reported did."""
    if not ending.ended:
        return Effect(outcome=Outcome.NOTHING, reason=Reason.NOTHING_TO_TAKE_BACK, reset=reset)
    return Effect(outcome=Outcome.RESUBSCRIBED, ended=ending.ended, reset=reset)


def standings(known: Consent, policy: Policy) -> Iterator[Standing]:
    """One for each opt-out that forbids something, and one while the permission is unknown."""
    for optout in known.optouts:
        forbids = policy.scoped_unsubscribe_applies_to if optout.scope else Blocks.MARKETING
        if forbids is not Blocks.NONE:
            yield Standing(
                status=Status.UNSUBSCRIBED,
                blocks=forbids,
                since=optout.at,
                until=None,
                event_key=optout.event_key,
                lift_by=LOCKS[Fact.UNSUBSCRIBE],
                name=_optout_name(optout.scope),
                scope=optout.scope,
            )
    if known.unknown is not None:
        yield Standing(
            status=Status.NON_MARKETABLE,
            blocks=Blocks.MARKETING,
            since=known.unknown.at,
            until=None,
            event_key=known.unknown.event_key,
            lift_by=LOCKS[Fact.UNKNOWN_PERMISSION],
            name=_UNKNOWN_NAME,
        )


def sentence(entry: Entry, effect: Effect) -> str:
    """What an entry about consent did."""
    scope = entry.scope or "everything"
    if effect.outcome is Outcome.UNSUBSCRIBED:
        return f"The person opted out of {scope}."
    if effect.outcome is Outcome.RESUBSCRIBED or not isinstance(entry, Decision):
        if effect.ended == (_UNKNOWN_NAME,):
            return f"The person asked for {scope}; until then no permission was known."
        return f"The person took back the opt-out of {scope}."
    if effect.outcome is Outcome.OPTED_IN:
        who = "The person opted in to" if entry.by_contact else f"{entry.actor} recorded an opt-in to"
        return f"{who} {scope} ({_strength(entry).value})."
    return _added_sentence(entry)


def _added_sentence(entry: Decision) -> str:
    added = f"{entry.actor} added the contact"
    match entry.permission:
        case Permission.STATED:
            return f"{added} and states that the person agreed."
        case Permission.NONE_NEEDED:
            return f"{added}; no permission is needed."
        case Permission.UNKNOWN | None:
            return f"{added} without a known permission: marketing messages are forbidden until an opt-in."
        case _:
            assert_never(entry.permission)


def _strength(entry: Entry) -> Strength:
    if not isinstance(entry, Decision):
        return Strength.SINGLE
    return entry.strength or (Strength.SINGLE if entry.by_contact else Strength.STAFF)


def _optout_name(scope: str) -> str:
    return f"the opt-out of {scope or 'everything'}"


def _with_optin(known: tuple[Optin, ...], entry: Entry, scope: str) -> tuple[Optin, ...]:
    strength = _strength(entry)
    optin = Optin(scope=scope, at=entry.occurred_at, strength=strength, event_key=entry.event_key)
    for other in known:
        if other.scope == scope and _STRENGTHS.index(other.strength) >= _STRENGTHS.index(strength):
            return known
    return tuple(sorted((*(other for other in known if other.scope != scope), optin), key=lambda optin: optin.scope))
