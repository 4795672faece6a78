"""Who may end what, with which proof: one matrix, from which the fold, the answers and the documentation follow.

A fact that forbids mail has a lock: the ways in which it can end (`LiftBy`). `OPENS` says which ways an act opens,
depending on who acts and on the proof. An act ends a fact if it opens one of its ways. So what an answer names in
`lifted_by` and what can be done are the same by construction.
"""

from enum import StrEnum

from msgspec import Struct

from schemas.decision import Decision, DecisionKind, Role, Strength
from schemas.entry import Entry, EntryKind
from schemas.vocabulary import Kind
from worker.policy.rule import LiftBy


class Fact(StrEnum):
    """What forbids mail, or counts towards it."""

    DO_NOT_CONTACT = "do_not_contact"
    DECLINED_COMMERCIAL = "declined_commercial"
    UNSUBSCRIBE = "unsubscribe"
    UNSUBSCRIBED_BY_US = "unsubscribed_by_us"
    PREFERENCE = "preference"  # for fewer messages: it forbids nothing
    UNKNOWN_PERMISSION = "unknown_permission"
    COMPLAINT = "complaint"
    LISTING = "listing"  # blocklisted by a decision
    RULE = "rule"  # a block by a rule, and the strikes of a rule


class By(StrEnum):
    """Who acts."""

    CONTACT = "contact"  # the person whom the address belongs to
    READER = "reader"
    OPERATOR = "operator"
    ADMINISTRATOR = "administrator"


class Proof(StrEnum):
    """What shows that it is right."""

    NONE = "none"
    REASON = "reason"  # in the actor's words
    RECORD = "record"  # an import or somebody of ours says that the person agreed
    SINGLE = "single"  # a form was filled in
    DOUBLE = "double"  # confirmed from the mailbox itself
    REPORT = "report"  # an ESP reported it


class Refusal(Struct, frozen=True, kw_only=True):
    """Why an act does not end a fact, and what does."""

    sentence: str
    remedy: str


# How each fact can end. What a rule began ends as its `lift_by` says, and by time; a listing may have an end as well.
_THE_PERSONS = frozenset({LiftBy.OPTIN, LiftBy.CONFIRMED_OPTIN})
LOCKS: dict[Fact, frozenset[LiftBy]] = {
    Fact.DO_NOT_CONTACT: _THE_PERSONS,
    Fact.DECLINED_COMMERCIAL: _THE_PERSONS,
    Fact.UNSUBSCRIBE: _THE_PERSONS,
    Fact.UNSUBSCRIBED_BY_US: _THE_PERSONS | {LiftBy.ADMIN},
    Fact.PREFERENCE: _THE_PERSONS,
    Fact.UNKNOWN_PERMISSION: frozenset({LiftBy.OPTIN, LiftBy.CONFIRMED_OPTIN, LiftBy.RECORDED_OPTIN}),
    Fact.COMPLAINT: frozenset({LiftBy.CONFIRMED_OPTIN, LiftBy.ADMIN}),
    Fact.LISTING: frozenset({LiftBy.ADMIN}),
}

_STAFF = (By.OPERATOR, By.ADMINISTRATOR)
_RECORDED = frozenset({LiftBy.RECORDED_OPTIN})
# What is not here opens nothing.
OPENS: dict[tuple[EntryKind, By, Proof], frozenset[LiftBy]] = {
    **{(DecisionKind.LIFTED, by, Proof.REASON): frozenset({LiftBy.ADMIN}) for by in _STAFF},
    (DecisionKind.OPTED_IN, By.CONTACT, Proof.DOUBLE): frozenset({LiftBy.CONFIRMED_OPTIN, LiftBy.OPTIN}),
    (DecisionKind.OPTED_IN, By.CONTACT, Proof.SINGLE): frozenset({LiftBy.OPTIN}),
    (DecisionKind.OPTED_IN, By.CONTACT, Proof.RECORD): _RECORDED,
    **{
        (DecisionKind.OPTED_IN, by, proof): _RECORDED
        for by in _STAFF
        for proof in (Proof.RECORD, Proof.SINGLE, Proof.DOUBLE)
    },
    (Kind.RESUBSCRIBE, By.CONTACT, Proof.REPORT): frozenset({LiftBy.OPTIN}),
}

# Who may decide what. A decision of anybody else changes nothing.
MAY_DECIDE: dict[DecisionKind, frozenset[By]] = {
    DecisionKind.ADDED: frozenset({By.CONTACT, *_STAFF}),
    DecisionKind.OPTED_IN: frozenset({By.CONTACT, *_STAFF}),
    DecisionKind.LIFTED: frozenset(_STAFF),
    DecisionKind.LISTED: frozenset(_STAFF),
    DecisionKind.UNSUBSCRIBED: frozenset({By.CONTACT, *_STAFF}),
    DecisionKind.UNSUBSCRIBED_BY_US: frozenset(_STAFF),
    DecisionKind.DECLINED_COMMERCIAL: frozenset({By.CONTACT, *_STAFF}),
    DecisionKind.DO_NOT_CONTACT: frozenset({By.CONTACT, *_STAFF}),
    DecisionKind.VOIDED: frozenset(_STAFF),
    DecisionKind.HELD_BACK: frozenset(_STAFF),
    DecisionKind.RELEASED: frozenset(_STAFF),
}

_BY_ROLE = {
    Role.READER: By.READER,
    Role.OPERATOR: By.OPERATOR,
    Role.ADMINISTRATOR: By.ADMINISTRATOR,
}
_BY_STRENGTH = {
    Strength.SINGLE: Proof.SINGLE,
    Strength.DOUBLE: Proof.DOUBLE,
    Strength.IMPORTED: Proof.RECORD,
    Strength.STAFF: Proof.RECORD,
}
WAYS: dict[LiftBy, str] = {
    LiftBy.CONFIRMED_OPTIN: "a new opt-in that the person has confirmed",
    LiftBy.OPTIN: "a new opt-in by the person",
    LiftBy.RECORDED_OPTIN: "a record that the person agreed",
    LiftBy.ADMIN: "an operator, with a reason",
}
_ACTS = {
    (DecisionKind.LIFTED, Proof.REASON): "A lift",
    (DecisionKind.OPTED_IN, Proof.DOUBLE): "A confirmed opt-in",
    (DecisionKind.OPTED_IN, Proof.SINGLE): "An opt-in that is not confirmed",
    (DecisionKind.OPTED_IN, Proof.RECORD): "An opt-in that somebody recorded",
    (Kind.RESUBSCRIBE, Proof.REPORT): "A resubscribe",
}


def by_whom(entry: Entry) -> By:
    """Who acted. Opt-outs, opt-ins and complaints that an ESP reports are the person's own."""
    if isinstance(entry, Decision) and not entry.by_contact:
        return _BY_ROLE[entry.role]
    return By.CONTACT


def proof_of(entry: Entry) -> Proof:
    """What shows that the act is right."""
    if not isinstance(entry, Decision):
        return Proof.REPORT
    if entry.kind is DecisionKind.OPTED_IN:
        return _BY_STRENGTH[entry.strength or (Strength.SINGLE if entry.by_contact else Strength.STAFF)]
    return Proof.REASON if (entry.note or "").strip() else Proof.NONE


def may_decide(decision: Decision) -> bool:
    """True if whoever decided it may decide this."""
    return by_whom(decision) in MAY_DECIDE[decision.kind]


def opens(entry: Entry) -> frozenset[LiftBy]:
    """The ways that the act opens; empty for whatever ends nothing."""
    return OPENS.get((entry.kind, by_whom(entry), proof_of(entry)), frozenset())


def why_not(what: str, lift_by: frozenset[LiftBy], entry: Entry) -> Refusal | None:
    """Why the act does not end the fact, which `what` names ("the complaint"); None if it does."""
    opened = opens(entry)
    if opened & lift_by:
        return None
    if not opened:
        return _ends_nothing(entry)
    act = _ACTS[entry.kind, proof_of(entry) if by_whom(entry) is By.CONTACT else _recorded(entry)]
    others = ways(lift_by)
    return Refusal(
        sentence=f"{act} does not end {what}.",
        remedy=f"Only {others} does." if others else "Nothing but time does." if lift_by else "Nothing does.",
    )


def other_scope(what: str, scope: str, named: str) -> Refusal:
    """Why an opt-in to one list or group does not end the opt-out of another, or of everything."""
    return Refusal(
        sentence=f"An opt-in to {named} does not end {what}.",
        remedy=f"Name the scope {scope}, or none for everything." if scope else "Name no scope: then all is meant.",
    )


def ways(lift_by: frozenset[LiftBy]) -> str:
    """The ways in words; empty if there is none but time."""
    named = lift_by - {LiftBy.CONFIRMED_OPTIN} if LiftBy.OPTIN in lift_by else lift_by
    return " or ".join(words for way, words in WAYS.items() if way in named)


def _recorded(entry: Entry) -> Proof:
    return Proof.RECORD if entry.kind is DecisionKind.OPTED_IN else proof_of(entry)


def _ends_nothing(entry: Entry) -> Refusal:
    if entry.kind not in {DecisionKind.LIFTED, DecisionKind.OPTED_IN}:
        return Refusal(
            sentence=f"{entry.kind.value} ends nothing.",
            remedy="Lift what forbids mail, or record an opt-in.",
        )
    if by_whom(entry) is By.READER:
        return Refusal(sentence="A reader decides nothing.", remedy="Ask an operator.")
    if by_whom(entry) is By.CONTACT:
        return Refusal(sentence="A lift is not the person's own act.", remedy="Record the person's opt-in.")
    return Refusal(sentence="A lift without a reason ends nothing.", remedy="Give a reason.")
