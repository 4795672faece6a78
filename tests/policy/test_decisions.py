"""What each decision makes of the facts, and what comes after it."""

from datetime import timedelta

import pytest

from schemas.decision import Permission, Role, Strength
from schemas.entry import Entry
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Blocks, Cause, Kind, Status
from tests.policy.rules import day, delivered, hard, one_rule, soft
from tests.schemas.decisions import added, lift, listing, optin
from tests.schemas.feedback_events import START, make_event
from worker.policy.dimension import Standing
from worker.policy.explain import explain
from worker.policy.facts import Facts
from worker.policy.fold import fold, fold_all
from worker.policy.policy_file import preset, recommended_policy
from worker.policy.rule import LiftBy, Policy
from worker.policy.standing import next_change_at, standing

POLICY = recommended_policy()
LATER = 900.0


def facts_after(*entries: Entry, policy: Policy = POLICY) -> Facts:
    return fold_all(Facts(), entries, policy)


def shown(*entries: Entry, at: float = LATER, policy: Policy = POLICY) -> Standing:
    return standing(facts_after(*entries, policy=policy), policy, day(at))


def sentence(*entries: Entry, policy: Policy = POLICY) -> str:
    return explain(entries, policy, day(LATER)).steps[-1].sentence


def complaint(at: float) -> FeedbackEvent:
    return make_event(Kind.COMPLAINT, day=at, cause=Cause.ABUSE_REPORT)


def unsubscribe(at: float, scope: str | None = None) -> FeedbackEvent:
    return make_event(Kind.UNSUBSCRIBE, day=at, scope=scope)


def resubscribe(at: float, scope: str | None = None) -> FeedbackEvent:
    return make_event(Kind.RESUBSCRIBE, day=at, scope=scope)


def dropped(at: float, cause: Cause = Cause.SUPPRESSED_BY_PROVIDER) -> FeedbackEvent:
    return make_event(Kind.DROPPED, day=at, cause=cause, message=f"dropped-{at}")


def test_a_lift_ends_a_block_a_complaint_a_listing_and_strikes() -> None:
    assert shown(hard(0), complaint(1), listing(2), soft(3), lift(4)).status is Status.NEW


def test_what_fails_after_a_lift_counts_again() -> None:
    assert shown(hard(0), lift(1), hard(2)).since == day(2)
    assert shown(complaint(0), lift(1), complaint(2)).since == day(2)
    assert shown(listing(0), lift(1), listing(2)).since == day(2)


def test_after_a_lift_the_ladder_starts_at_its_first_rung() -> None:
    policy = one_rule(strikes=1, action="hold", hold_ladder=["10d", "90d"])
    assert shown(soft(0), soft(20), at=21, policy=policy).until == day(110)
    assert shown(soft(0), lift(15), soft(20), at=21, policy=policy).until == day(30)


def test_a_lift_never_ends_an_opt_out_or_gives_a_permission() -> None:
    assert shown(unsubscribe(0), lift(1)).status is Status.UNSUBSCRIBED
    assert shown(added(0), lift(1)).status is Status.NON_MARKETABLE


def test_a_block_whose_rule_does_not_name_an_operator_is_not_ended_by_a_lift() -> None:
    mailchimp = preset("mailchimp")
    assert shown(hard(0), lift(1), policy=mailchimp).status is Status.BLOCKLISTED
    assert shown(hard(0), optin(1), policy=mailchimp).status is Status.NEW


def test_a_lift_without_a_reason_or_by_a_reader_ends_nothing() -> None:
    assert shown(hard(0), lift(1, note="  ")).status is Status.BLOCKLISTED
    assert shown(hard(0), lift(1, role=Role.READER)).status is Status.BLOCKLISTED
    assert shown(hard(0), lift(1, by_contact=True)).status is Status.BLOCKLISTED


def test_a_lift_dated_back_ends_only_what_began_before_it() -> None:
    assert shown(hard(0), hard(5), lift(3)).since == day(5)


def test_a_failure_of_the_same_instant_is_before_the_lift_and_a_listing_after_it() -> None:
    assert shown(hard(1), lift(1)).status is Status.NEW
    assert shown(listing(1), lift(1)).status is Status.BLOCKLISTED


def test_a_listing_blocks_until_its_end_for_its_mail() -> None:
    listed = listing(0, blocks=Blocks.MARKETING, until=day(10))
    one = shown(listed, at=5)
    assert (one.status, one.blocks, one.cause) == (Status.BLOCKLISTED, Blocks.MARKETING, Cause.MAILBOX_DOES_NOT_EXIST)
    assert (one.until, one.lift_by) == (day(10), frozenset({LiftBy.ADMIN, LiftBy.EXPIRY}))
    assert next_change_at(facts_after(listed), POLICY, day(5)) == day(10)
    assert shown(listed, at=10).status is Status.NEW


def test_of_several_listings_the_strictest_counts() -> None:
    lenient, strict = listing(0, blocks=Blocks.MARKETING), listing(1, blocks=Blocks.ALL, until=day(10))
    assert shown(lenient, strict, at=5).blocks is Blocks.ALL
    assert shown(lenient, strict, at=10).blocks is Blocks.MARKETING


def test_an_opt_in_does_not_end_a_listing() -> None:
    assert shown(listing(0), optin(1)).status is Status.BLOCKLISTED


def test_a_contact_added_without_a_known_permission_takes_no_marketing() -> None:
    one = shown(added(0))
    assert (one.status, one.blocks, one.since) == (Status.NON_MARKETABLE, Blocks.MARKETING, START)


@pytest.mark.parametrize("permission", [Permission.STATED, Permission.NONE_NEEDED])
def test_a_contact_added_with_a_permission_is_free(permission: Permission) -> None:
    assert shown(added(0, permission)).status is Status.NEW


@pytest.mark.parametrize("before", [optin(0), resubscribe(0), added(0, Permission.STATED), unsubscribe(0)])
def test_adding_a_contact_of_which_more_is_known_changes_nothing(before: Entry) -> None:
    once, again = facts_after(before), facts_after(before, added(1))
    assert (again.consent, again.deliverability, again.complaint) == (once.consent, once.deliverability, None)


def test_a_permission_stated_later_does_not_lift_an_unknown_one() -> None:
    assert shown(added(0), added(1, Permission.STATED)).status is Status.NON_MARKETABLE


@pytest.mark.parametrize(
    "agreed", [optin(1), optin(1, Strength.SINGLE), optin(1, Strength.STAFF, by_contact=False), resubscribe(1)]
)
def test_any_opt_in_makes_the_permission_known(agreed: Entry) -> None:
    assert shown(added(0), agreed).status is Status.NEW


def test_the_persons_own_opt_in_ends_the_opt_out_of_its_scope_or_all() -> None:
    both = (unsubscribe(0, "news"), unsubscribe(0, "offers"))
    single = Strength.SINGLE
    assert [o.scope for o in facts_after(*both, optin(1, single, scope="news")).consent.optouts] == ["offers"]
    assert facts_after(*both, unsubscribe(0), optin(1, single)).consent.optouts == ()


@pytest.mark.parametrize("strength", list(Strength))
def test_an_opt_in_that_somebody_else_recorded_ends_no_opt_out_and_no_complaint(strength: Strength) -> None:
    recorded = optin(1, strength, by_contact=False)
    assert shown(unsubscribe(0), recorded).status is Status.UNSUBSCRIBED
    assert shown(complaint(0), recorded).status is Status.COMPLAINED
    assert shown(hard(0), recorded).status is Status.BLOCKLISTED
    assert facts_after(unsubscribe(0), recorded).consent.optins == ()


def test_only_a_confirmed_opt_in_ends_a_complaint_and_what_a_rule_lets_it_end() -> None:
    assert shown(complaint(0), hard(0), optin(1)).status is Status.NEW
    assert shown(complaint(0), optin(1, Strength.SINGLE)).status is Status.COMPLAINED
    assert shown(hard(0), optin(1, Strength.SINGLE)).status is Status.BLOCKLISTED
    domain = hard(0, cause=Cause.DOMAIN_ACCEPTS_NO_MAIL)
    assert shown(domain, optin(1), at=5).status is Status.BLOCKLISTED  # only an operator and time end that
    assert shown(domain, lift(1), at=5).status is Status.NEW


def test_an_unsubscribe_withdraws_the_opt_in_and_a_later_one_counts_anew() -> None:
    assert facts_after(optin(0), optin(0, scope="news"), unsubscribe(1)).consent.optins == ()
    again = facts_after(optin(0), unsubscribe(1), optin(2, Strength.SINGLE)).consent
    assert [(one.scope, one.strength) for one in again.optins] == [("", Strength.SINGLE)]


def test_the_stronger_of_two_opt_ins_is_remembered() -> None:
    facts = facts_after(optin(0), optin(1, Strength.SINGLE))
    assert [(one.at, one.strength) for one in facts.consent.optins] == [(START, Strength.DOUBLE)]


def test_the_persons_opt_in_clears_strikes_as_a_resubscribe_does() -> None:
    assert shown(soft(0), optin(1, Strength.SINGLE)).status is Status.NEW
    assert shown(soft(0), optin(1, Strength.STAFF, by_contact=False), at=2).status is Status.SOFT_BOUNCING


def test_decisions_are_not_too_old_to_count() -> None:
    assert shown(hard(0), lift(1, received_at=START + timedelta(days=400))).status is Status.NEW


def test_a_drop_for_the_esps_older_list_after_a_lift_says_so_and_is_no_strike() -> None:
    entries = (hard(0), lift(1), dropped(2))
    assert shown(*entries).status is Status.NEW
    assert sentence(*entries) == (
        "Not counted: still suppressed at the ESP since before the lift; "
        "remove the address from the suppression list at postmark (source test)."
    )
    suppression = facts_after(*entries).deliverability.suppression
    assert suppression is not None
    assert (suppression.at, suppression.provider) == (day(2), "postmark")


def test_a_drop_without_a_lift_or_after_a_newer_failure_is_an_echo() -> None:
    echo = "No effect: the ESP did not try, because of an older event."
    assert sentence(hard(0), dropped(2)) == echo
    assert sentence(hard(0), lift(1), hard(2), dropped(3)) == echo
    assert sentence(hard(0), lift(1), complaint(2), dropped(3, Cause.COMPLAINED_AT_PROVIDER)) == echo


def test_a_delivery_after_the_drop_shows_that_the_esp_tries_again() -> None:
    assert facts_after(dropped(2), delivered(3)).deliverability.suppression is None
    assert facts_after(delivered(3), dropped(2)).deliverability.suppression is None
    assert facts_after(delivered(3), dropped(4)).deliverability.suppression is not None


def test_a_drop_that_comes_in_after_a_later_delivery_changes_nothing() -> None:
    facts = facts_after(delivered(3))
    assert fold(facts, dropped(2), POLICY) == facts_after(dropped(2), delivered(3))


DECIDED: dict[str, tuple[list[Entry], str]] = {
    "lifted": (
        [hard(0), complaint(1), lift(2)],
        'anna lifted the complaint and the block of rule bad_mailbox ("asked by phone").',
    ),
    "lifted in part": (
        [hard(0), unsubscribe(1), lift(2)],
        (
            'anna lifted the block of rule bad_mailbox ("asked by phone"). '
            "A lift does not end the opt-out of everything. Only a new opt-in by the person does."
        ),
    ),
    "nothing to lift": ([lift(0)], "No effect: there was nothing that this lift may end."),
    "no reason": (
        [hard(0), lift(1, note=None)],
        ("No effect: there was nothing that this lift may end. A lift without a reason ends nothing. Give a reason."),
    ),
    "reader": ([hard(0), lift(1, role=Role.READER)], "No effect: who decided it may not decide it."),
    "listed": (
        [listing(0, blocks=Blocks.MARKETING, until=day(10))],
        'anna listed the contact ("asked by phone"): marketing messages are forbidden until 2026-03-11 12:00 UTC.',
    ),
    "added": (
        [added(0)],
        "anna added the contact without a known permission: marketing messages are forbidden until an opt-in.",
    ),
    "stated": ([added(0, Permission.STATED)], "anna added the contact and states that the person agreed."),
    "none needed": ([added(0, Permission.NONE_NEEDED)], "anna added the contact; no permission is needed."),
    "opted in": (
        [unsubscribe(0), optin(1, Strength.SINGLE)],
        "The person opted in to everything (single). It ended the opt-out of everything.",
    ),
    "recorded": (
        [added(0), optin(1, Strength.IMPORTED, by_contact=False, scope="news")],
        "anna recorded an opt-in to news (imported). It ended the unknown permission.",
    ),
    "not the person's": (
        [unsubscribe(0), optin(1, Strength.STAFF, by_contact=False)],
        (
            "No effect: the person has opted out, and only the person can take that back. "
            "An opt-in that somebody recorded does not end the opt-out of everything. "
            "Only a new opt-in by the person does."
        ),
    ),
    "asked for again": (
        [added(0), resubscribe(1)],
        "The person asked for everything; until then no permission was known.",
    ),
}


@pytest.mark.parametrize("name", DECIDED)
def test_a_decision_names_its_actor_its_reason_and_what_it_did(name: str) -> None:
    entries, said = DECIDED[name]
    assert sentence(*entries) == said
