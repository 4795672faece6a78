"""What other systems call a contact's status, so that people who come from one of them find their words again.

Each standing has one name in each system. A name says nothing about what is forbidden: that is the policy's, and the
presets of that name (presets.toml) do what the system does. docs/names.md is generated from this table.

Kartra: support.kartra.com, "FAQ: contact status management"; its leads until 2024: active, inactive, blacklisted. Keap:
help.keap.com, "Email statuses explained". EmailMassivo, and RuSender, whose words are the same: help.emailmassivo.com,
"Contact statuses". Yespo: yespo.io/support, "Contact blacklist", which names the blacklist alone; its other names here
are what its pages call such contacts in passing.
"""

from collections.abc import Callable
from enum import StrEnum

from msgspec import Struct

from schemas.decision import Permission, Strength
from schemas.vocabulary import Cause, Status, System
from worker.policy.dimension import Standing
from worker.policy.facts import Facts


class When(StrEnum):
    """What must hold beside the status. The words stand in the documentation."""

    ALWAYS = ""
    INVALID = "the address is no address"
    GONE = "the mailbox or its domain does not exist or is disabled"
    FULL = "the mailbox is full"
    CONFIRMED = "on a list, by a confirmed opt-in"
    LISTED = "on a list"


class Named(Struct, frozen=True, kw_only=True):
    """The names of one status, in the order of System."""

    status: Status
    when: When = When.ALWAYS
    names: tuple[str, str, str, str, str]


_GONE = frozenset({Cause.MAILBOX_DOES_NOT_EXIST, Cause.DOMAIN_DOES_NOT_EXIST, Cause.MAILBOX_DISABLED})
_BLOCKLISTED, _REPEATED = Status.BLOCKLISTED, Status.MULTIPLE_SOFT_BOUNCES
_DECLINED = "Declined commercial messages (GDPR)"
_BY_US = "Unsubscribed (admin opt-out)"
_CONFIRMED, _UNCONFIRMED = "Confirmed (double opt-in)", "Unconfirmed (single opt-in)"

# Of the rows of a status, the first one that holds gives the names.
NAMES: tuple[Named, ...] = (
    Named(
        status=Status.DO_NOT_CONTACT,
        names=("Do not contact", "Inactive", "Unsubscribed", "Unsubscribed", "Unsubscribed"),
    ),
    Named(
        status=Status.DECLINED_COMMERCIAL,
        names=(_DECLINED, "Inactive", "Unsubscribed", "Unsubscribed", "Unsubscribed"),
    ),
    Named(
        status=Status.COMPLAINED,
        names=("Spam complaint", "Blacklisted", "Reported spam", "Complained", "Blacklist"),
    ),
    Named(
        status=_BLOCKLISTED,
        when=When.INVALID,
        names=("Blocklisted", "Blacklisted", "Invalid email", "Does not exist", "Blacklist"),
    ),
    Named(
        status=_BLOCKLISTED,
        when=When.GONE,
        names=("Blocklisted", "Blacklisted", "Hard bounce", "Does not exist", "Blacklist"),
    ),
    Named(
        status=_BLOCKLISTED,
        when=When.FULL,
        names=("Blocklisted", "Blacklisted", "Hard bounce", "Mailbox full", "Blacklist"),
    ),
    Named(
        status=_BLOCKLISTED,
        names=("Blocklisted", "Blacklisted", "Hard bounce", "Unavailable", "Blacklist"),
    ),
    Named(
        status=_REPEATED,
        when=When.FULL,
        names=("Multiple soft bounces", "Blacklisted", "Soft bounce", "Mailbox full", "Blacklist"),
    ),
    Named(
        status=_REPEATED,
        names=("Multiple soft bounces", "Blacklisted", "Soft bounce", "Unavailable", "Blacklist"),
    ),
    Named(
        status=Status.UNSUBSCRIBED,
        names=("Unsubscribed", "Inactive", "Unsubscribed", "Unsubscribed", "Unsubscribed"),
    ),
    Named(
        status=Status.UNSUBSCRIBED_BY_US,
        names=("Unsubscribed", "Inactive", _BY_US, "Unsubscribed by us", "Unsubscribed"),
    ),
    Named(
        status=Status.NON_MARKETABLE,
        names=("Unsubscribed", "Inactive", "Non-marketable", "Unsubscribed by us", "Unconfirmed"),
    ),
    Named(
        status=Status.SOFT_BOUNCING,
        when=When.LISTED,
        names=("Subscribed", "Active", "Soft bounce", "Active", "Active"),
    ),
    Named(status=Status.SOFT_BOUNCING, names=("Unsubscribed", "Inactive", "Soft bounce", "Active", "Active")),
    Named(status=Status.ACTIVE, when=When.CONFIRMED, names=("Subscribed", "Active", _CONFIRMED, "Active", "Active")),
    Named(status=Status.ACTIVE, when=When.LISTED, names=("Subscribed", "Active", _UNCONFIRMED, "Active", "Active")),
    Named(status=Status.ACTIVE, names=("Unsubscribed", "Inactive", _UNCONFIRMED, "Active", "Active")),
    Named(status=Status.NEW, when=When.CONFIRMED, names=("Subscribed", "Active", _CONFIRMED, "New", "Active")),
    Named(status=Status.NEW, when=When.LISTED, names=("Subscribed", "Active", _UNCONFIRMED, "New", "Active")),
    Named(status=Status.NEW, names=("Unsubscribed", "Inactive", _UNCONFIRMED, "New", "Active")),
)
_PLACES = {system: place for place, system in enumerate(System)}


def name_in(system: System, standing: Standing, facts: Facts) -> str:
    """The system's name for this standing."""
    for named in NAMES:
        if named.status is standing.status and _HOLDS[named.when](standing, facts):
            return named.names[_PLACES[system]]
    raise AssertionError(f"NAMES has no row for {standing.status} that holds always")


def is_on_a_list(facts: Facts) -> bool:
    """True if the person asked for something that is sent, or somebody states that the person may be mailed.

    That is an opt-in that holds, whatever its scope, or a permission that is stated or that nobody needs.
    """
    consent = facts.consent
    return bool(consent.optins) or consent.permission in {Permission.STATED, Permission.NONE_NEEDED}


_HOLDS: dict[When, Callable[[Standing, Facts], bool]] = {
    When.ALWAYS: lambda _standing, _facts: True,
    When.INVALID: lambda standing, _: standing.cause is Cause.INVALID_ADDRESS,
    When.GONE: lambda standing, _: standing.cause in _GONE,
    When.FULL: lambda standing, _: standing.cause is Cause.MAILBOX_FULL,
    When.CONFIRMED: lambda _, facts: any(one.strength is Strength.DOUBLE for one in facts.consent.optins),
    When.LISTED: lambda _, facts: is_on_a_list(facts),
}
