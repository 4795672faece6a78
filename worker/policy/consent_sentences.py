"""Sentences about consent: what an entry of the log did to it."""

from typing import assert_never

from schemas.decision import Decision, Permission
from schemas.entry import Entry
from schemas.vocabulary import Way
from worker.policy.consent import UNKNOWN_NAME, strength_of, way_of
from worker.policy.effect import Effect, Outcome
from worker.policy.ending import listed

_WISHES: dict[Outcome, str] = {
    Outcome.UNSUBSCRIBED: "opted out of {scope}",
    Outcome.DECLINED_COMMERCIAL: "wants no commercial messages",
    Outcome.DO_NOT_CONTACT: "wants no message at all, ever",
    Outcome.PREFERS_FEWER: "wants fewer messages of {scope}; nothing is forbidden",
}
_WAYS: dict[Way, str] = {
    Way.FOOTER_LINK: " (by a link in a message)",
    Way.MAIL_CLIENT: " (by the button of a mail program)",
    Way.FORM: " (by a form)",
    Way.STAFF: "",  # it is told who recorded it
    Way.PROVIDER: "",  # nobody says how
}


def consent_sentence(entry: Entry, effect: Effect) -> str:
    """What an entry about consent did."""
    scope = entry.scope or "everything"
    if (wish := _WISHES.get(effect.outcome)) is not None:
        return _wish_sentence(entry, wish.format(scope=scope))
    if effect.outcome is Outcome.RESUBSCRIBED or not isinstance(entry, Decision):
        taken_back = tuple(name for name in effect.ended if name != UNKNOWN_NAME)
        if not taken_back:
            return f"The person asked for {scope}; until then no permission was known."
        return f"The person took back {listed(taken_back)}."
    if effect.outcome is Outcome.UNSUBSCRIBED_BY_US:
        return f"{entry.actor} unsubscribed the contact from {scope}{noted(entry)}."
    if effect.outcome is Outcome.OPTED_IN:
        who = "The person opted in to" if entry.by_contact else f"{entry.actor} recorded an opt-in to"
        return f"{who} {scope} ({strength_of(entry).value})."
    return _added_sentence(entry)


def noted(decision: Decision) -> str:
    """The reason, as it stands behind what was done; empty if there is none."""
    return f' ("{decision.note}")' if decision.note else ""


def _wish_sentence(entry: Entry, wish: str) -> str:
    way = _WAYS[way_of(entry)]
    if isinstance(entry, Decision) and not entry.by_contact:
        return f"{entry.actor} recorded that the person {wish}{way}{noted(entry)}."
    return f"The person {wish}{way}."


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
