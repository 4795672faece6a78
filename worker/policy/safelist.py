"""What becomes of a request: whether it is possible at all, and what the rules decide about it. Pure."""

import itertools
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from schemas.safelist import DeclineReason, PersonsWish, RequestKind
from schemas.vocabulary import FREE_STATUSES, Blocks, Cause, Status
from worker.policy.dimension import Standing
from worker.policy.duration import write_duration
from worker.policy.permissions import Refusal, ways
from worker.policy.rule import LiftBy

ELIGIBLE = frozenset({Status.BLOCKLISTED, Status.COMPLAINED, Status.MULTIPLE_SOFT_BOUNCES})
NOT_SENT_AGAIN = "What was not sent meanwhile is not sent now: send again what matters."
STILL_FORBIDDEN = "Look at what still forbids mail before you send anything."


class Ruling(StrEnum):
    """What a rule does with a request."""

    APPROVE = "approve"
    DECLINE = "decline"
    REVIEW = "review"  # a person decides


_DECLINE_STANDS = timedelta(days=1)


class Reputation(StrEnum):
    """How well the account's mail is received (worker.contacts.account_standing)."""

    UNKNOWN = "unknown"
    GOOD = "good"
    AT_RISK = "at_risk"
    BAD = "bad"


class AttemptLimits(Struct, frozen=True, kw_only=True):
    """How often one contact may be asked back."""

    bounce: int = 5
    complaint: int = 1

    def of(self, status: Status) -> int:
        """The limit that holds for a contact of this status."""
        return self.complaint if status is Status.COMPLAINED else self.bounce


class SafelistRules(Struct, frozen=True, kw_only=True):
    """A table of safelist.toml, with the limits that the settings name."""

    name: str
    limits: AttemptLimits
    account_age: timedelta  # an account is young until then
    young_account: Ruling
    bad_reputation: Ruling
    doubtful_reputation: Ruling  # at risk, or too few contacts to tell
    complaint: Ruling
    listing: Ruling  # blocked by somebody's decision
    approved_before: Ruling  # and blocked again since
    early: Ruling
    early_within: timedelta
    causes: frozenset[Cause]
    other_cause: Ruling
    block: Ruling


class RequestFacts(Struct, frozen=True, kw_only=True):
    """What is known when a request is judged."""

    kind: RequestKind
    standing: Standing
    several: Sequence[Standing] = ()  # all that forbids mail
    last_cause: Cause | None  # of the last failure
    account_age: timedelta | None  # None: the account is only in the configuration yet
    reputation: Reputation
    approved_before: int
    at: datetime


class Verdict(Struct, frozen=True, kw_only=True):
    """What the rules decide."""

    ruling: Ruling
    rule: str  # the case that applied, by its key
    sentence: str
    reason: DeclineReason | None = None  # of a decline


class RuleDecline(Struct, frozen=True, kw_only=True):
    """A request that rules declined at once, because of what they know of the account."""

    id: int
    rule: str
    at: datetime


class Earlier(Struct, frozen=True, kw_only=True):
    """The requests that were made for this contact before."""

    open_id: int | None = None
    last_decline: RuleDecline | None = None  # if that was the last request, and rules declined it for the account
    bounce_attempts: int = 0
    complaint_attempts: int = 0
    approved: int = 0

    def attempts(self, status: Status) -> int:
        """How many of them count against the limit for a contact of this status."""
        return self.complaint_attempts if status is Status.COMPLAINED else self.bounce_attempts


class Impossible(StrEnum):
    """Why no request is made. The values are sent."""

    INVALID_ADDRESS = "invalid_address"
    NOTHING_FORBIDS = "nothing_forbids"
    NOT_ELIGIBLE = "not_eligible"
    REQUESTED_ALREADY = "requested_already"
    TOO_MANY_ATTEMPTS = "too_many_attempts"
    WISH_NEEDED = "wish_needed"
    WISH_TOO_OLD = "wish_too_old"
    BLOCKED_ALREADY = "blocked_already"
    DECLINED_LATELY = "declined_lately"
    NOT_REQUESTED_THEN = "not_requested_then"  # an earlier request with this Idempotency-Key made none


class Obstacle(Refusal, frozen=True, kw_only=True):
    """Why a request is not possible now, and what to do instead."""

    reason: Impossible


def obstacle(standing: Standing, earlier: Earlier, limits: AttemptLimits) -> Obstacle | None:
    """Why a contact with this standing cannot be asked back now; None if it can. A complaint needs a wish as well."""
    status = standing.status
    if status in FREE_STATUSES or standing.blocks is Blocks.NONE:
        return Obstacle(
            reason=Impossible.NOTHING_FORBIDS, sentence="Nothing forbids mail to this contact.", remedy="Mail it."
        )
    if status not in ELIGIBLE or LiftBy.ADMIN not in standing.lift_by:
        return Obstacle(
            reason=Impossible.NOT_ELIGIBLE,
            sentence=f"A safelist request does not end {standing.name or status.value}.",
            remedy=_instead(standing),
        )
    if earlier.open_id is not None:
        return Obstacle(
            reason=Impossible.REQUESTED_ALREADY,
            sentence=f"Request {earlier.open_id} for this contact waits for its review.",
            remedy="Wait for its decision.",
        )
    limit = limits.of(status)
    if (made := earlier.attempts(status)) >= limit:
        after = "a complaint" if status is Status.COMPLAINED else "bounces"
        return Obstacle(
            reason=Impossible.TOO_MANY_ATTEMPTS,
            sentence=f"This contact was asked back after {after} {_times(made)}, and no more than {limit} are allowed.",
            remedy=_instead(standing),
        )
    return None


def wish_obstacle(standing: Standing, wish: PersonsWish | None) -> Obstacle | None:
    """Why the record of the person's wish does not suffice; None if it does, or none is needed."""
    if standing.status is not Status.COMPLAINED:
        return None
    if wish is None:
        return Obstacle(
            reason=Impossible.WISH_NEEDED,
            sentence="The person complained: only the person can want mail again.",
            remedy="Record who asked for mail again, when and how, and send it for this contact alone.",
        )
    if standing.since is not None and wish.when.date() < standing.since.date():
        return Obstacle(
            reason=Impossible.WISH_TOO_OLD,
            sentence=f"The wish of {wish.when.date()} is older than the complaint of {standing.since.date()}.",
            remedy="Ask the person again.",
        )
    return None


def block_obstacle(several: Sequence[Standing], earlier: Earlier) -> Obstacle | None:
    """Why a contact cannot be asked to be blocked; None if it can."""
    if earlier.open_id is not None:
        return Obstacle(
            reason=Impossible.REQUESTED_ALREADY,
            sentence=f"Request {earlier.open_id} for this contact waits for its review.",
            remedy="Wait for its decision.",
        )
    if any(one.status is Status.BLOCKLISTED and one.blocks is Blocks.ALL and one.until is None for one in several):
        return Obstacle(
            reason=Impossible.BLOCKED_ALREADY,
            sentence="The contact is blocklisted already, until that is lifted.",
            remedy="Nothing is to be done.",
        )
    return None


def lately_declined(verdict: Verdict, earlier: Earlier, at: datetime) -> Obstacle | None:
    """Why a request is not made that rules would decline once more for what they know of the account; None if it is.

    Such a decline is no attempt, so that without this there could be any number of them.
    """
    last = earlier.last_decline
    if last is None or verdict.ruling is not Ruling.DECLINE:
        return None
    if verdict.rule != last.rule or at - last.at >= _DECLINE_STANDS:
        return None
    return Obstacle(
        reason=Impossible.DECLINED_LATELY,
        sentence=f"Request {last.id} was declined within the last day, for the same reason: {verdict.sentence}",
        remedy="Ask again on another day.",
    )


def judge(facts: RequestFacts, rules: SafelistRules) -> Verdict:
    """What the rules decide about a request that is possible: the first case that applies."""
    if facts.kind is RequestKind.BLOCK:
        return _verdict(rules.block, "block", "The account wants to mail the contact no more.", DeclineReason.OTHER)
    return next(itertools.chain(_about_the_account(facts, rules), _about_the_contact(facts, rules)))


def _about_the_account(facts: RequestFacts, rules: SafelistRules) -> Iterator[Verdict]:
    if facts.reputation is Reputation.BAD:
        yield _verdict(
            rules.bad_reputation,
            "bad_reputation",
            "Too much of the account's mail bounces or is complained about.",
            DeclineReason.REPUTATION,
        )
    if facts.account_age is None or facts.account_age < rules.account_age:
        yield _verdict(
            rules.young_account,
            "young_account",
            f"The account is younger than {write_duration(rules.account_age)}.",
            DeclineReason.INSUFFICIENT_HISTORY,
        )


def _about_the_contact(facts: RequestFacts, rules: SafelistRules) -> Iterator[Verdict]:
    standing = facts.standing
    if standing.status is Status.COMPLAINED:
        yield _verdict(rules.complaint, "complaint", "The person complained.", DeclineReason.SPAM_RELATED)
    if any(one.rule is None and one.status is Status.BLOCKLISTED for one in (standing, *facts.several)):
        yield _verdict(rules.listing, "listing", "Somebody decided to block the contact.", DeclineReason.OTHER)
    if facts.approved_before:
        yield _verdict(
            rules.approved_before,
            "approved_before",
            f"The contact was approved {_times(facts.approved_before)} before, and was blocked again.",
            DeclineReason.PREVIOUS_FAILURES,
        )
    if standing.since is not None and facts.at - standing.since < rules.early_within:
        yield _verdict(
            rules.early,
            "early",
            f"The block is younger than {write_duration(rules.early_within)}.",
            DeclineReason.PREVIOUS_FAILURES,
        )
    if facts.reputation in {Reputation.AT_RISK, Reputation.UNKNOWN}:
        words = "at risk" if facts.reputation is Reputation.AT_RISK else "not known yet"
        yield _verdict(
            rules.doubtful_reputation,
            "doubtful_reputation",
            f"How well the account's mail is received is {words}.",
            DeclineReason.REPUTATION,
        )
    yield _by_cause(facts, rules)


def _by_cause(facts: RequestFacts, rules: SafelistRules) -> Verdict:
    causes = {one.cause for one in (facts.standing, *facts.several)}
    causes |= set() if facts.last_cause is None else {facts.last_cause}
    if causes <= rules.causes:
        named = ", ".join(sorted(causes))
        return _verdict(Ruling.APPROVE, "causes", f"What is known of the contact ({named}) may have ended.", None)
    named = ", ".join(sorted(causes - rules.causes))
    return _verdict(
        rules.other_cause,
        "other_cause",
        f"What is known of the contact ({named}) seldom ends by itself.",
        DeclineReason.PREVIOUS_FAILURES,
    )


def _verdict(ruling: Ruling, rule: str, sentence: str, reason: DeclineReason | None) -> Verdict:
    return Verdict(ruling=ruling, rule=rule, sentence=sentence, reason=reason if ruling is Ruling.DECLINE else None)


def _instead(standing: Standing) -> str:
    """What ends the standing, if a request does not."""
    others = ways(standing.lift_by - {LiftBy.EXPIRY})
    if LiftBy.OPTIN in standing.lift_by or LiftBy.CONFIRMED_OPTIN in standing.lift_by:
        return f"Ask the person to fill in an opt-in form; what ends it is {others}."
    if others:
        return f"What ends it is {others}."
    return "Only time ends it." if standing.until is not None else "Nothing ends it."


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
