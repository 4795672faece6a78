"""A policy is a table of rules. Each says which failures count, how many are needed, and what follows."""

from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from math import ceil

from msgspec import Struct

from schemas.list_name import list_key
from schemas.vocabulary import Blocks, Cause, Kind, Status


class Action(StrEnum):
    """What follows when a contact reaches a rule's strikes."""

    RECORD = "record"  # counted and shown, nothing is blocked
    HOLD = "hold"  # blocked for the next duration of the ladder
    BLOCK = "block"  # blocked until lifted


class LiftBy(StrEnum):
    """What ends a fact that forbids mail: worker.policy.permissions says which act opens which way."""

    CONFIRMED_OPTIN = "confirmed_optin"  # the person opts in again, confirmed from the mailbox
    OPTIN = "optin"  # the person opts in again, confirmed or not
    RECORDED_OPTIN = "recorded_optin"  # somebody of ours, or an import, records that the person agreed
    ADMIN = "admin"  # an operator, with a reason
    EXPIRY = "expiry"  # time


# What a rule may let end its block. An opt-in that nobody confirmed does not prove that the mailbox works.
RULE_LIFT_BY = frozenset({LiftBy.CONFIRMED_OPTIN, LiftBy.ADMIN, LiftBy.EXPIRY})


class Rule(Struct, frozen=True, kw_only=True):
    """One row of the table. Durations are timedeltas; in TOML they are written `30d`, `12h`, `90m`, `45s`."""

    name: str
    causes: frozenset[Cause]
    kinds: frozenset[Kind] = frozenset({Kind.HARD_BOUNCE, Kind.SOFT_BOUNCE})
    strikes: int = 1  # how many counted failures trigger the rule
    weights: dict[Kind, float] = {}  # a strike's weight by kind; the default is 1
    min_interval: timedelta = timedelta(0)  # at most one strike in this time
    min_span: timedelta = timedelta(0)  # first and last strike at least this far apart
    window: timedelta | None = None  # older strikes are forgotten
    stale_after: timedelta | None = None  # a gap of this length forgets all strikes
    reset_on: frozenset[Kind] = frozenset()  # delivered, opened, clicked, resubscribe
    engaged_extra: int = 0  # extra strikes for people who were engaged lately
    engaged_within: timedelta = timedelta(days=90)
    engaged_by: frozenset[Kind] = frozenset({Kind.OPENED, Kind.CLICKED})
    engaged_min_interval: timedelta | None = None  # min_interval for them, if it differs
    action: Action = Action.BLOCK
    hold_ladder: tuple[timedelta | None, ...] = ()  # None = for good; the last rung repeats
    trial_strikes: int = 1  # strikes that trigger again after a hold has ended
    ladder_forget: timedelta | None = None  # time without a strike after which the ladder starts at its first rung
    status: Status = Status.MULTIPLE_SOFT_BOUNCES  # the status shown while blocked
    applies_to: Blocks = Blocks.ALL  # which mail is forbidden while blocked
    lift_by: frozenset[LiftBy] = frozenset({LiftBy.ADMIN})

    def most_strikes(self) -> int:
        """How many strikes can be needed at once, all of the lightest weight."""
        lightest = min((self.weights.get(kind, 1.0) for kind in self.kinds), default=1.0)
        score = max(self.strikes + self.engaged_extra, self.trial_strikes)
        return max(2, ceil(score / lightest)) if lightest > 0 else 2


class Policy(Struct, frozen=True, kw_only=True, dict=True):
    """The whole table, with what holds for all rules.

    What the fold looks up in it at each event is computed once for each policy, and kept in the policy itself:
    that is what `dict=True` is for.
    """

    name: str
    rules: tuple[Rule, ...]
    max_event_age: timedelta | None = timedelta(days=14)  # older on arrival from an ESP: kept, but no strike
    # Which mail each status forbids.
    do_not_contact_applies_to: Blocks = Blocks.ALL
    declined_commercial_applies_to: Blocks = Blocks.COMMERCIAL
    complaint_applies_to: Blocks = Blocks.ALL
    marketing_complaint_applies_to: Blocks = Blocks.ALL  # a complaint about one of the marketing streams
    marketing_streams: frozenset[str] = frozenset()  # scopes, tags or sources
    unsubscribed_applies_to: Blocks = Blocks.MARKETING
    scoped_unsubscribe_applies_to: Blocks = Blocks.MARKETING  # an unsubscribe from one list or group
    unsubscribed_by_us_applies_to: Blocks = Blocks.MARKETING
    non_marketable_applies_to: Blocks = Blocks.MARKETING

    @cached_property
    def marketing_stream_keys(self) -> frozenset[str]:
        """The marketing streams, as list names are compared."""
        return frozenset(map(list_key, self.marketing_streams))

    @cached_property
    def rule_by_name(self) -> dict[str, Rule]:
        """Each rule by its name."""
        return {rule.name: rule for rule in self.rules}

    @cached_property
    def rule_by_failure(self) -> dict[tuple[Kind, Cause], Rule]:
        """The rule that counts a kind of failure with a cause: of several the first in the table."""
        claimed: dict[tuple[Kind, Cause], Rule] = {}
        for rule in self.rules:
            for kind in rule.kinds:
                for cause in rule.causes:
                    claimed.setdefault((kind, cause), rule)
        return claimed

    @cached_property
    def rules_reset_by(self) -> dict[Kind, frozenset[str]]:
        """The names of the rules whose strikes a kind of event clears."""
        return {
            kind: frozenset(rule.name for rule in self.rules if kind in rule.reset_on)
            for kind in (Kind.DELIVERED, Kind.OPENED, Kind.CLICKED, Kind.RESUBSCRIBE)
        }

    @cached_property
    def most_strikes(self) -> dict[str, int]:
        """How many strikes of each rule are kept: as many as can ever be needed."""
        return {rule.name: rule.most_strikes() for rule in self.rules}
