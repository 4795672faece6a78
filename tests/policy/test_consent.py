"""What the person asked for, and what is known of the permission: how each begins, what it forbids, what ends it."""

from itertools import permutations
from typing import Any

import pytest

from schemas.decision import DecisionKind, Role, Strength
from schemas.entry import Entry
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Blocks, Kind, Status, Way
from tests.policy.rules import day
from tests.schemas.decisions import added, lift, optin, wish
from tests.schemas.feedback_events import START, make_event
from worker.policy.consent import wishes
from worker.policy.effect import Outcome, Reason
from worker.policy.explain import explain
from worker.policy.facts import Facts
from worker.policy.facts_encoding import decode_facts, encode_facts
from worker.policy.fold import apply, fold_all
from worker.policy.policy_file import load_policy, preset, recommended_policy
from worker.policy.standing import standing

POLICY = recommended_policy()


def facts_after(*entries: Entry) -> Facts:
    return fold_all(Facts(), entries, POLICY)


def shown(*entries: Entry, policy: str = "recommended") -> tuple[Status, Blocks]:
    facts = fold_all(Facts(), entries, preset(policy))
    one = standing(facts, preset(policy), day(400))
    return one.status, one.blocks


def sentence(*entries: Entry) -> str:
    return explain(entries, POLICY, day(400)).steps[-1].sentence


def event(kind: Kind, day: float = 0, *, scope: str | None = None, way: Way | None = None) -> FeedbackEvent:
    return make_event(kind, day=day, scope=scope, way=way)


DECLINES = event(Kind.DECLINES_COMMERCIAL)
FORBIDS = event(Kind.FORBIDS_CONTACT)
FEWER = event(Kind.PREFERS_FEWER)
OPTOUT = event(Kind.UNSUBSCRIBE)
TOLD_DECLINED = wish(DecisionKind.DECLINED_COMMERCIAL, 0)
TOLD_NO_CONTACT = wish(DecisionKind.DO_NOT_CONTACT, 0)
TOLD_OPTOUT = wish(DecisionKind.UNSUBSCRIBED, 0)
BY_US = wish(DecisionKind.UNSUBSCRIBED_BY_US, 0)


@pytest.mark.parametrize(
    ("entry", "status", "blocks"),
    [
        (OPTOUT, Status.UNSUBSCRIBED, Blocks.MARKETING),
        (TOLD_OPTOUT, Status.UNSUBSCRIBED, Blocks.MARKETING),
        (BY_US, Status.UNSUBSCRIBED_BY_US, Blocks.MARKETING),
        (DECLINES, Status.DECLINED_COMMERCIAL, Blocks.COMMERCIAL),
        (TOLD_DECLINED, Status.DECLINED_COMMERCIAL, Blocks.COMMERCIAL),
        (FORBIDS, Status.DO_NOT_CONTACT, Blocks.ALL),
        (TOLD_NO_CONTACT, Status.DO_NOT_CONTACT, Blocks.ALL),
        (added(0), Status.NON_MARKETABLE, Blocks.MARKETING),
        (FEWER, Status.NEW, Blocks.NONE),
    ],
    ids=lambda value: value.kind.value if hasattr(value, "kind") else str(value),
)
def test_each_has_its_status_and_forbids_its_mail(entry: Entry, status: Status, blocks: Blocks) -> None:
    assert shown(entry) == (status, blocks)


@pytest.mark.parametrize("entries", list(permutations([OPTOUT, DECLINES, FORBIDS, BY_US])))
def test_the_gravest_is_shown_in_whatever_order_they_come(entries: tuple[Entry, ...]) -> None:
    assert shown(*entries) == (Status.DO_NOT_CONTACT, Blocks.ALL)


@pytest.mark.parametrize("strength", [Strength.SINGLE, Strength.DOUBLE])
def test_a_new_opt_in_of_the_person_ends_all_of_them(strength: Strength) -> None:
    everything = (OPTOUT, DECLINES, FORBIDS, FEWER, BY_US, added(0))
    facts = facts_after(*everything, optin(1, strength))
    known = facts.consent
    assert list(wishes(known)) == []
    assert known.unknown is None
    assert [optin.strength for optin in known.optins] == [strength]
    assert shown(*everything, optin(1, strength)) == (Status.NEW, Blocks.NONE)


@pytest.mark.parametrize("entry", [DECLINES, TOLD_DECLINED, FORBIDS, TOLD_NO_CONTACT, OPTOUT, TOLD_OPTOUT])
@pytest.mark.parametrize("role", [Role.OPERATOR, Role.ADMINISTRATOR])
@pytest.mark.parametrize("strength", [None, *Strength])
def test_nothing_of_staff_ends_the_wish_of_the_person(entry: Entry, role: Role, strength: Strength | None) -> None:
    before = shown(entry)
    assert shown(entry, lift(1, role=role)) == before
    recorded = optin(1, strength or Strength.STAFF, by_contact=False, role=role)
    assert shown(entry, recorded) == before
    assert facts_after(entry, recorded).consent.optins == ()
    _, effect = apply(facts_after(entry), recorded, POLICY)
    assert (effect.outcome, effect.reason) == (Outcome.NOTHING, Reason.OPTED_OUT)


def test_what_we_did_ourselves_an_operator_can_lift() -> None:
    assert shown(BY_US, lift(1)) == (Status.NEW, Blocks.NONE)
    assert shown(BY_US, lift(1, note="")) == (Status.UNSUBSCRIBED_BY_US, Blocks.MARKETING)
    assert sentence(BY_US, lift(1)) == 'anna lifted our own unsubscribe from everything ("asked by phone").'


def test_what_we_did_ourselves_does_not_hide_what_the_person_did() -> None:
    assert shown(OPTOUT, BY_US, lift(1)) == (Status.UNSUBSCRIBED, Blocks.MARKETING)


def test_a_resubscribe_counts_as_an_opt_in_of_the_person() -> None:
    again = make_event(Kind.RESUBSCRIBE, day=1)
    assert shown(OPTOUT, DECLINES, FORBIDS, BY_US, again) == (Status.NEW, Blocks.NONE)
    assert sentence(OPTOUT, FORBIDS, again) == (
        "The person took back the opt-out of everything and the wish never to be contacted."
    )


def test_an_opt_in_to_one_list_ends_no_wish_that_is_for_everything() -> None:
    to_news = optin(1, scope="news")
    assert shown(FORBIDS, to_news) == (Status.DO_NOT_CONTACT, Blocks.ALL)
    assert shown(DECLINES, to_news) == (Status.DECLINED_COMMERCIAL, Blocks.COMMERCIAL)
    assert shown(event(Kind.UNSUBSCRIBE, scope="news"), to_news) == (Status.NEW, Blocks.NONE)
    off_news = wish(DecisionKind.UNSUBSCRIBED_BY_US, 0, scope="news")
    assert shown(off_news, to_news) == (Status.NEW, Blocks.NONE)


def test_a_wish_for_everything_holds_for_everything_whatever_list_it_came_from() -> None:
    forbids = event(Kind.FORBIDS_CONTACT, scope="news")
    assert facts_after(forbids).consent.no_contact[0].scope == ""


def test_a_preference_for_fewer_is_known_since_when_and_ends_by_a_later_opt_in_of_the_person() -> None:
    (fewer,) = facts_after(event(Kind.PREFERS_FEWER, 3, way=Way.FORM)).consent.fewer
    assert (fewer.at, fewer.way) == (day(3), Way.FORM)
    assert facts_after(FEWER, optin(1, Strength.SINGLE)).consent.fewer == ()
    assert facts_after(FEWER, optin(1, by_contact=False)).consent.fewer != ()
    assert facts_after(FEWER, lift(1)).consent.fewer != ()
    assert facts_after(optin(0.5), event(Kind.PREFERS_FEWER, 1)).consent.optins != ()  # it withdraws nothing


def test_each_wish_of_the_person_withdraws_the_opt_ins() -> None:
    before = optin(-1)
    for entry in (OPTOUT, TOLD_OPTOUT, DECLINES, TOLD_DECLINED, FORBIDS, TOLD_NO_CONTACT):
        assert facts_after(before, entry).consent.optins == ()
    assert facts_after(before, BY_US).consent.optins != ()


def test_an_added_contact_is_not_freed_from_what_the_person_said() -> None:
    for entry in (OPTOUT, DECLINES, FORBIDS):
        assert facts_after(entry, added(1)).consent.permission is None


@pytest.mark.parametrize("entry", [OPTOUT, TOLD_OPTOUT, BY_US, DECLINES, FORBIDS, FEWER])
def test_the_first_of_each_sort_counts(entry: Entry) -> None:
    known = facts_after(entry)
    again = make_event(entry.kind, day=2) if isinstance(entry, FeedbackEvent) else wish(entry.kind, 2)
    after, effect = apply(known, again, POLICY)
    assert after.consent == known.consent
    assert effect.reason is Reason.KNOWN_BEFORE


def test_a_reader_decides_nothing_and_the_person_does_not_unsubscribe_for_us() -> None:
    for kind in (DecisionKind.UNSUBSCRIBED, DecisionKind.DECLINED_COMMERCIAL, DecisionKind.DO_NOT_CONTACT):
        assert shown(wish(kind, 0, role=Role.READER)) == (Status.NEW, Blocks.NONE)
        assert shown(wish(kind, 0, by_contact=True, role=Role.READER)) != (Status.NEW, Blocks.NONE)
    assert shown(wish(DecisionKind.UNSUBSCRIBED_BY_US, 0, by_contact=True)) == (Status.NEW, Blocks.NONE)


@pytest.mark.parametrize(
    ("entry", "way"),
    [
        (OPTOUT, Way.PROVIDER),
        (event(Kind.UNSUBSCRIBE, way=Way.MAIL_CLIENT), Way.MAIL_CLIENT),
        (TOLD_OPTOUT, Way.STAFF),
        (wish(DecisionKind.UNSUBSCRIBED, 0, by_contact=True), Way.FORM),
        (wish(DecisionKind.UNSUBSCRIBED, 0, by_contact=True, way=Way.FOOTER_LINK), Way.FOOTER_LINK),
    ],
)
def test_an_opt_out_knows_how_it_came_in(entry: Entry, way: Way) -> None:
    (optout,) = facts_after(entry).consent.optouts
    assert optout.way is way


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (
            event(Kind.UNSUBSCRIBE, way=Way.MAIL_CLIENT),
            "The person opted out of everything (by the button of a mail program).",
        ),
        (
            event(Kind.UNSUBSCRIBE, scope="news", way=Way.FOOTER_LINK),
            "The person opted out of news (by a link in a message).",
        ),
        (TOLD_OPTOUT, 'anna recorded that the person opted out of everything ("asked by phone").'),
        (wish(DecisionKind.UNSUBSCRIBED, 0, by_contact=True), "The person opted out of everything (by a form)."),
        (BY_US, 'anna unsubscribed the contact from everything ("asked by phone").'),
        (DECLINES, "The person wants no commercial messages."),
        (TOLD_DECLINED, 'anna recorded that the person wants no commercial messages ("asked by phone").'),
        (FORBIDS, "The person wants no message at all, ever."),
        (
            wish(DecisionKind.DO_NOT_CONTACT, 0, note=None),
            "anna recorded that the person wants no message at all, ever.",
        ),
        (FEWER, "The person wants fewer messages of everything; nothing is forbidden."),
    ],
    ids=lambda value: value.kind.value if hasattr(value, "kind") else "",
)
def test_each_is_reported_in_a_sentence(entry: Entry, said: str) -> None:
    assert sentence(entry) == said


def test_under_kartra_an_opt_out_is_shown_and_forbids_nothing_and_declined_leaves_notifications() -> None:
    assert shown(OPTOUT, policy="kartra") == (Status.UNSUBSCRIBED, Blocks.NONE)
    assert shown(BY_US, policy="kartra") == (Status.UNSUBSCRIBED_BY_US, Blocks.NONE)
    assert shown(DECLINES, policy="kartra") == (Status.DECLINED_COMMERCIAL, Blocks.COMMERCIAL)
    assert shown(FORBIDS, policy="kartra") == (Status.DO_NOT_CONTACT, Blocks.ALL)


def test_under_keap_non_marketable_and_unsubscribed_may_get_one_to_one_mail() -> None:
    assert shown(OPTOUT, policy="keap") == (Status.UNSUBSCRIBED, Blocks.MARKETING)
    assert shown(added(0), policy="keap") == (Status.NON_MARKETABLE, Blocks.MARKETING)


STREAMS = load_policy(
    {"marketing_streams": ["newsletter", "bulk-source"], "marketing_complaint_applies_to": "marketing"}
)


def complaint(day: float = 0, **fields: Any) -> FeedbackEvent:
    return make_event(Kind.COMPLAINT, day=day, message=f"m{day}", **fields)


def complained(*entries: Entry) -> Blocks:
    one = standing(fold_all(Facts(), entries, STREAMS), STREAMS, day(400))
    assert one.status is Status.COMPLAINED
    return one.blocks


@pytest.mark.parametrize(
    ("fields", "blocks"),
    [
        ({"scope": "newsletter"}, Blocks.MARKETING),
        ({"tags": ("spring", "newsletter")}, Blocks.MARKETING),
        ({"source": "bulk-source"}, Blocks.MARKETING),
        ({}, Blocks.ALL),
        ({"scope": "receipts", "tags": ("spring",)}, Blocks.ALL),
    ],
)
def test_a_complaint_about_a_marketing_stream_leaves_receipts_on_where_the_policy_says_so(
    fields: dict[str, Any], blocks: Blocks
) -> None:
    assert complained(complaint(**fields)) is blocks
    facts = fold_all(Facts(), [complaint(**fields)], STREAMS)
    assert decode_facts(encode_facts(facts)) == facts


@pytest.mark.parametrize("first", [0, 1])
def test_a_complaint_about_other_mail_forbids_that_too_whichever_comes_first(first: int) -> None:
    about_news, about_a_receipt = complaint(first, tags=("newsletter",)), complaint(1 - first)
    assert complained(about_news, about_a_receipt) is Blocks.ALL


def test_the_stream_of_a_complaint_is_reported() -> None:
    told = explain([complaint(tags=("newsletter",))], STREAMS, START).steps[-1].sentence
    assert told == "The person complained about the marketing stream newsletter; no event takes that back."
