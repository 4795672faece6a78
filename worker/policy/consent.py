"""Consent: what the person asked for, and what is known of the permission to mail.

What limits mail is kept as wishes: the opt-outs, those that we have made ourselves, that the person declines commercial
messages, that there must be no contact at all, and that fewer messages are preferred. The last one forbids nothing.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from schemas.decision import Decision, DecisionKind, Permission, Strength
from schemas.entry import Entry, EntryKind
from schemas.list_name import list_key
from schemas.vocabulary import Blocks, Kind, Status, Way
from worker.policy.dimension import Standing
from worker.policy.effect import Effect, Outcome, Reason
from worker.policy.ending import Ending, end, together
from worker.policy.permissions import LOCKS, By, Fact, by_whom
from worker.policy.rule import Policy

UNKNOWN_NAME = "the unknown permission"
_STRENGTHS = (Strength.IMPORTED, Strength.STAFF, Strength.SINGLE, Strength.DOUBLE)  # the weakest first


class Wish(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What somebody asked for, and what holds until it ends. `scope` is empty for everything."""

    scope: str = ""
    at: datetime
    event_key: bytes
    way: Way = Way.PROVIDER


class Optin(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Consent that has not been withdrawn. `scope` is empty for everything. Its proof is told by its entry."""

    scope: str
    at: datetime
    strength: Strength
    event_key: bytes


class UnknownPermission(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The contact was added, and nobody says that the person agreed."""

    at: datetime
    event_key: bytes


class Consent(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What is known of the contact's consent. Of each sort of wish there is one per scope, sorted by it.

    Scopes are compared as lists are (schemas.list_name); each is spelled as it was first.
    """

    optouts: tuple[Wish, ...] = ()  # the person's
    taken_off: tuple[Wish, ...] = ()  # unsubscribed by us
    declined: tuple[Wish, ...] = ()  # no commercial messages; at most one, of everything
    no_contact: tuple[Wish, ...] = ()  # no message at all; at most one, of everything
    fewer: tuple[Wish, ...] = ()  # a preference: it forbids nothing
    optins: tuple[Optin, ...] = ()  # the strongest per scope, sorted by it
    permission: Permission | None = None  # what was said when the contact was added
    unknown: UnknownPermission | None = None  # in force until somebody opts in


NO_CONSENT = Consent()

_FIELDS: dict[Fact, str] = {
    Fact.UNSUBSCRIBE: "optouts",
    Fact.UNSUBSCRIBED_BY_US: "taken_off",
    Fact.DECLINED_COMMERCIAL: "declined",
    Fact.DO_NOT_CONTACT: "no_contact",
    Fact.PREFERENCE: "fewer",
}
_NAMES: dict[Fact, str] = {
    Fact.UNSUBSCRIBE: "the opt-out of {}",
    Fact.UNSUBSCRIBED_BY_US: "our own unsubscribe from {}",
    Fact.DECLINED_COMMERCIAL: "the wish for no commercial messages",
    Fact.DO_NOT_CONTACT: "the wish never to be contacted",
    Fact.PREFERENCE: "the wish for fewer messages of {}",
}
_BEGUN_BY: dict[EntryKind, tuple[Fact, Outcome]] = {
    Kind.UNSUBSCRIBE: (Fact.UNSUBSCRIBE, Outcome.UNSUBSCRIBED),
    Kind.DECLINES_COMMERCIAL: (Fact.DECLINED_COMMERCIAL, Outcome.DECLINED_COMMERCIAL),
    Kind.FORBIDS_CONTACT: (Fact.DO_NOT_CONTACT, Outcome.DO_NOT_CONTACT),
    Kind.PREFERS_FEWER: (Fact.PREFERENCE, Outcome.PREFERS_FEWER),
    DecisionKind.UNSUBSCRIBED: (Fact.UNSUBSCRIBE, Outcome.UNSUBSCRIBED),
    DecisionKind.UNSUBSCRIBED_BY_US: (Fact.UNSUBSCRIBED_BY_US, Outcome.UNSUBSCRIBED_BY_US),
    DecisionKind.DECLINED_COMMERCIAL: (Fact.DECLINED_COMMERCIAL, Outcome.DECLINED_COMMERCIAL),
    DecisionKind.DO_NOT_CONTACT: (Fact.DO_NOT_CONTACT, Outcome.DO_NOT_CONTACT),
}
_OF_EVERYTHING = frozenset({Fact.DECLINED_COMMERCIAL, Fact.DO_NOT_CONTACT})
# What an opt-in that somebody else recorded does not go against, and what withdraws opt-ins.
_OF_THE_PERSON = frozenset({Fact.UNSUBSCRIBE, Fact.DECLINED_COMMERCIAL, Fact.DO_NOT_CONTACT})


def is_free(known: Consent) -> bool:
    """True if it forbids nothing under any policy."""
    return known is NO_CONSENT or not (
        known.optouts or known.taken_off or known.declined or known.no_contact or known.unknown
    )


def wishes(known: Consent) -> Iterator[tuple[Fact, Wish]]:
    """Every wish, with the fact that it is."""
    for fact, field in _FIELDS.items():
        for wish in getattr(known, field):
            yield fact, wish


def after_wish(known: Consent, entry: Entry) -> tuple[Consent, Effect]:
    """The consent with one more wish; the first of each sort and scope counts. The person's withdraw opt-ins."""
    fact, outcome = _BEGUN_BY[entry.kind]
    scope = "" if fact in _OF_EVERYTHING else entry.scope or ""
    field = _FIELDS[fact]
    before: tuple[Wish, ...] = getattr(known, field)
    about = list_key(scope)
    if any(list_key(wish.scope) == about for wish in before):
        return known, Effect(outcome=Outcome.NOTHING, reason=Reason.KNOWN_BEFORE)
    wish = Wish(scope=scope, at=entry.occurred_at, event_key=entry.event_key, way=way_of(entry))
    optins = known.optins
    if fact in _OF_THE_PERSON:
        optins = tuple(optin for optin in optins if about and list_key(optin.scope) != about)
    changed = {field: tuple(sorted((*before, wish), key=lambda wish: wish.scope)), "optins": optins}
    return replace(known, **changed), Effect(outcome=outcome)


def after_added(known: Consent, decision: Decision) -> tuple[Consent, Effect]:
    """The consent after the contact was added: changed only if nothing was known of it."""
    if known.permission is not None or known.optins or any(fact in _OF_THE_PERSON for fact, _ in wishes(known)):
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
    after, ending = _without_wishes(known, entry, scope)
    about = {"", list_key(scope)}
    covered = any(fact in _OF_THE_PERSON and list_key(wish.scope) in about for fact, wish in wishes(after))
    if covered and by_whom(entry) is not By.CONTACT:
        return known, ending
    after, over = _with_permission(after, entry)
    return replace(after, optins=_with_optin(known.optins, entry, scope)), together((ending, over))


def after_lift(known: Consent, decision: Decision) -> tuple[Consent, Ending]:
    """The consent after a lift, which ends nothing that only the person can end."""
    after, ending = _without_wishes(known, decision, "")
    after, over = _with_permission(after, decision)
    return after, together((ending, over))


def resubscribed(ending: Ending, *, reset: tuple[str, ...]) -> Effect:
    """What a resubscribe that an ESP reported did."""
    if not ending.ended:
        return Effect(outcome=Outcome.NOTHING, reason=Reason.NOTHING_TO_TAKE_BACK, reset=reset)
    return Effect(outcome=Outcome.RESUBSCRIBED, ended=ending.ended, reset=reset)


def standings(known: Consent, policy: Policy) -> Iterator[Standing]:
    """One for each wish that limits mail, and one while the permission is unknown.

    An opt-out of one list that forbids nothing under the policy is the application's own matter: it has none.
    """
    for fact, wish in wishes(known):
        shown = _shown(fact, policy, scoped=bool(wish.scope))
        if shown is not None:
            status, blocks = shown
            yield Standing(
                status=status,
                blocks=blocks,
                since=wish.at,
                until=None,
                event_key=wish.event_key,
                lift_by=LOCKS[fact],
                name=_name(fact, wish),
                scope=wish.scope,
            )
    if known.unknown is not None:
        yield Standing(
            status=Status.NON_MARKETABLE,
            blocks=policy.non_marketable_applies_to,
            since=known.unknown.at,
            until=None,
            event_key=known.unknown.event_key,
            lift_by=LOCKS[Fact.UNKNOWN_PERMISSION],
            name=UNKNOWN_NAME,
        )


def way_of(entry: Entry) -> Way:
    """How the wish came in: as the entry says, or else as follows from who made it."""
    if entry.way is not None:
        return entry.way
    if not isinstance(entry, Decision):
        return Way.PROVIDER
    return Way.FORM if entry.by_contact else Way.STAFF


def strength_of(entry: Entry) -> Strength:
    """How sure it is that the person agreed: as the entry says, or else as follows from who made it."""
    if not isinstance(entry, Decision):
        return Strength.SINGLE
    return entry.strength or (Strength.SINGLE if entry.by_contact else Strength.STAFF)


def _shown(fact: Fact, policy: Policy, *, scoped: bool) -> tuple[Status, Blocks] | None:
    match fact:
        case Fact.UNSUBSCRIBE | Fact.UNSUBSCRIBED_BY_US if scoped and policy.scoped_unsubscribe_applies_to is _NOTHING:
            return None
        case Fact.UNSUBSCRIBE:
            blocks = policy.scoped_unsubscribe_applies_to if scoped else policy.unsubscribed_applies_to
            return Status.UNSUBSCRIBED, blocks
        case Fact.UNSUBSCRIBED_BY_US:
            blocks = policy.scoped_unsubscribe_applies_to if scoped else policy.unsubscribed_by_us_applies_to
            return Status.UNSUBSCRIBED_BY_US, blocks
        case Fact.DECLINED_COMMERCIAL:
            return Status.DECLINED_COMMERCIAL, policy.declined_commercial_applies_to
        case Fact.DO_NOT_CONTACT:
            return Status.DO_NOT_CONTACT, policy.do_not_contact_applies_to
        case Fact.PREFERENCE | Fact.UNKNOWN_PERMISSION | Fact.COMPLAINT | Fact.LISTING | Fact.RULE:
            return None
        case _:
            assert_never(fact)


_NOTHING = Blocks.NONE


def _without_wishes(known: Consent, entry: Entry, scope: str) -> tuple[Consent, Ending]:
    """The consent without the wishes of this scope (empty: of any) that the entry ends."""
    endings = []
    about = list_key(scope)
    rest: dict[str, tuple[Wish, ...]] = {}
    for fact, wish in wishes(known):
        if about and list_key(wish.scope) != about:
            continue
        ending = end(_name(fact, wish), LOCKS[fact], entry)
        if ending.ended:
            field = _FIELDS[fact]
            rest[field] = tuple(other for other in rest.get(field, getattr(known, field)) if other is not wish)
        if ending.ended or fact is not Fact.PREFERENCE:  # what forbids nothing is in nobody's way
            endings.append(ending)
    return replace(known, **rest) if rest else known, together(endings)


def _with_permission(known: Consent, entry: Entry) -> tuple[Consent, Ending]:
    """The consent without the unknown permission, if the entry ends it."""
    if known.unknown is None:
        return known, Ending()
    ending = end(UNKNOWN_NAME, LOCKS[Fact.UNKNOWN_PERMISSION], entry)
    return replace(known, unknown=None) if ending.ended else known, ending


def _name(fact: Fact, wish: Wish) -> str:
    return _NAMES[fact].format(wish.scope or "everything")


def _with_optin(known: tuple[Optin, ...], entry: Entry, scope: str) -> tuple[Optin, ...]:
    strength, about = strength_of(entry), list_key(scope)
    before = [other for other in known if list_key(other.scope) == about]
    if any(_STRENGTHS.index(other.strength) >= _STRENGTHS.index(strength) for other in before):
        return known
    spelling = before[0].scope if before else scope
    optin = Optin(scope=spelling, at=entry.occurred_at, strength=strength, event_key=entry.event_key)
    rest = (other for other in known if list_key(other.scope) != about)
    return tuple(sorted((*rest, optin), key=lambda optin: optin.scope))
